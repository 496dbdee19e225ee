"""The frozen lower part of a classifier, computed once per example instead of once per epoch."""
