"""What a frozen prefix gives for each example: computed once, stored, and shared by runs."""
