"""What a bundle must answer, written from this runtime, for those that are not Python."""
