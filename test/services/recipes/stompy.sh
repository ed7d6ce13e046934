# stomp.py, a STOMP client in Python. The full path: another python3 may come first and lack it.
packages=(python3-stomp)

ready() { /usr/bin/python3 -c 'import stomp'; }

settings() { give PYTHON_STOMP /usr/bin/python3; }
