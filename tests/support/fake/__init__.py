"""The world outside gptkit, on loopback: the API server, proxies, certificates, a terminal, a process."""
