"""What is wrong with a configuration that decodes, or doubtful in it."""
