"""What the program puts behind circuit breakers, and which errors count against whom."""
