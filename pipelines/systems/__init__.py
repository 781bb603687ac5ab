"""Real systems to connect to, installed and started on this machine when a test or a trial asks for one."""
