"""What happens between a label and an event. Pure."""
