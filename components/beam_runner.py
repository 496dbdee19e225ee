"""The Beam runner that stays in the process that it is called from."""

IN_PROCESS = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
