"""Pure analysis: frames in, frames and bytes out; it knows nothing of the service around it."""
