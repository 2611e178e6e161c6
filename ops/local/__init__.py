"""The embedded servers, and the supervisor of the processes of one machine."""
