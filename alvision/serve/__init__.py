"""A bundle as a web server: photographs come in over HTTP, verdicts go out.

Reading photographs and judging them belongs to `data` and `deploy`; here are only the requests.
"""
