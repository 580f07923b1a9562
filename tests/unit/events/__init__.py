"""What the event system promises."""
