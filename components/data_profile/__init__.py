"""What the rows of a window are like, in numbers that later windows are compared with; see `component.DataProfile`."""
