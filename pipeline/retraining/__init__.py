"""`permafrost retrain`: unattended runs, each in a process of its own."""
