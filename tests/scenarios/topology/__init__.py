"""The topology of docker-compose.yml as processes, started command by command as the file has it."""
