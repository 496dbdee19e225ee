"""TFX's Pusher, all or nothing; see `component.AtomicPusher`."""
