"""What `permafrost doctor` looks at: the installation, the machine, and what one pipeline needs."""
