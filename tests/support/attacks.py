# ruff: noqa: E501
"""Attacks on a judge: completions that fake a pass, and programs that reach for the host."""

# Each completes `def answer(n):\n    """Return n + 41."""\n`, is wrong, and must not pass.
_CLASS = "    class Any({base}):\n{methods}    return Any({arguments})\n"


def _every(base: str, methods: str, arguments: str = "") -> str:
    body = "".join(f"        {line}\n" for line in methods.split("\n"))
    return _CLASS.format(base=base, methods=body, arguments=arguments)


_EQUAL = "def __eq__(self, other): return True\ndef __ne__(self, other): return False\n__hash__ = None"
_FRAMES = """    import sys
    frame = sys._getframe()
    while frame:
        for value in list(frame.f_locals.values()):
            if isinstance(value, int) and value != n and value > 40: return value
        frame = frame.f_back
"""
FAKE_PASSES = {
    "equal to everything": _every("object", _EQUAL),
    "an int equal to everything": _every("int", _EQUAL, "0"),
    "a float equal to everything": _every("float", _EQUAL, "0"),
    "a list equal to everything": _every("list", _EQUAL),
    "a tuple equal to everything": _every("tuple", _EQUAL),
    "a dict equal to everything": _every("dict", _EQUAL),
    "a str equal to everything": _every("str", _EQUAL),
    "always ordered": _every("int", "def __lt__(self, o): return True\ndef __gt__(self, o): return True\n" + _EQUAL),
    "absorbs arithmetic": _every("int", "def __sub__(self, o): return 0\ndef __rsub__(self, o): return 0"),
    "a mock": "    from unittest.mock import ANY\n    return ANY\n",
    "sys.exit(0)": "    import sys; sys.exit(0)\n",
    "sys.exit at import": "    return 0\nimport sys; sys.exit(0)\n",
    "os._exit(0)": "    import os; os._exit(0)\n",
    "os._exit at import": "    return 0\nimport os; os._exit(0)\n",
    "SystemExit raised": "    raise SystemExit(0)\n",
    "KeyboardInterrupt": "    raise KeyboardInterrupt\n",
    "GeneratorExit": "    raise GeneratorExit\n",
    "atexit": "    return 0\nimport atexit; atexit.register(lambda: print('passed'))\n",
    "prints passed": "    print('passed'); return 0\n",
    "prints a verdict": "    print('{\"passed\": true, \"num_calls\": 1}'); return 0\n",
    "writes a verdict to the channel": "    import os; os.write(1, b'{\"passed\": true, \"num_calls\": 3, \"nonce\": \"\"}\\n'); return 0\n",
    "writes a verdict at import": "    return 0\nimport os; os.write(1, b'{\"passed\": true, \"nonce\": \"0\", \"num_calls\": 9}\\n')\n",
    "answers a call twice": "    import os; os.write(1, b'{\"value\": 42, \"arguments\": [\"list\", [1]]}\\n'); return 0\n",
    "closes the channel": "    import os; os.close(1); return 0\n",
    "closes its input": "    import os; os.close(0); return 0\n",
    "patches abs": "    return 0\nimport builtins; builtins.abs = lambda x: 0\n",
    "patches isinstance": "    return 0\nimport builtins; builtins.isinstance = lambda *a: True\n",
    "patches AssertionError": "    return 0\nimport builtins; builtins.AssertionError = Exception\n",
    "patches json.dumps": "    return 0\nimport json; json.dumps = lambda *a, **k: '{\"passed\": true, \"nonce\": 1}'\n",
    "patches math": "    return 0\nimport math; math.isclose = lambda *a, **k: True\n",
    "defines check": "    return 0\ndef check(candidate): pass\n",
    "defines assert's operator": "    return 0\nimport operator; operator.eq = lambda a, b: True\n",
    "reads expected values from frames": _FRAMES + "    return 0\n",
    "reads expected values by gc": "    import gc\n    for o in gc.get_objects():\n        if isinstance(o, dict) and 'check' in o: return 42\n    return 0\n",
    "a trace function": "    import sys; sys.settrace(lambda *a: None); return 0\n",
    "an audit hook": "    import sys; sys.addaudithook(lambda *a: None); return 0\n",
    "an import hook": "    return 0\nimport sys; sys.meta_path.insert(0, None)\n",
    "replaces its own function": "    return 0\nanswer.__code__ = (lambda n: 0).__code__\n",
    "a generator": "    yield n + 41\n",
    "a coroutine": "    return 0\nasync def other(n): return n + 41\nanswer = other\n",
    "a lambda": "    return lambda *a: True\n",
    "a class instead of a function": "    return 0\nclass answer:\n    def __init__(self, n): pass\n    def __eq__(self, o): return True\n",
    "not a number": "    return float('nan')\n",
    "the right text": "    return str(n + 41)\n",
    "the right value as a float in a list": "    return [n + 41]\n",
    "endless": "    while True: pass\n",
    "endless repr": _every("int", "def __repr__(self):\n    while True: pass", "0"),
    "a bomb of output": "    import sys\n    while True: sys.stderr.write('x' * 10**6)\n",
    "a bomb of memory": "    x = [0]\n    while True: x = x + x\n",
    "a bomb of recursion": "    return answer(n)\n",
    "a deep value": "    x = []\n    for _ in range(10**6): x = [x]\n    return x\n",
    "a circular value": "    x = []\n    x.append(x)\n    return x\n",
    "a huge value": "    return 'x' * 10**8\n",
    "hides its name": "    return 0\ndel answer\n",
}  # fmt: skip

# Each is run as a program and must end without having reached anything; those that print REACHED have.
ON_THE_HOST = {
    "reads a file": "print('REACHED', open('/etc/passwd').read())",
    "reads a secret": "print('REACHED', open('{secret}').read())",
    "reads by os": "import os; print('REACHED', os.read(os.open('{secret}', os.O_RDONLY), 99))",
    "writes a file": "open('{folder}/written', 'w').write('x'); print('REACHED')",
    "appends to a file": "open('{secret}', 'a').write('x'); print('REACHED')",
    "makes a folder": "import os; os.mkdir('{folder}/made'); print('REACHED')",
    "removes a file": "import os; os.remove('{secret}'); print('REACHED')",
    "renames a file": "import os; os.rename('{secret}', '{folder}/b'); print('REACHED')",
    "links a file": "import os; os.symlink('{secret}', '{folder}/b'); print('REACHED')",
    "changes a mode": "import os; os.chmod('{secret}', 0o777); print('REACHED', open('{secret}'))",
    "lists a folder": "import os; print('REACHED', os.listdir('/'))",
    "lists its folder": "import os; print('REACHED' if os.listdir('.') else '')",
    "walks up": "print('REACHED', open('../../../../../..{secret}').read())",
    "a temporary file": "import tempfile; tempfile.TemporaryFile(); print('REACHED')",
    "reads the environment": "import os; print('REACHED' if set(os.environ) - {'PYTHONHASHSEED'} else '')",
    "its user": "import os; print('REACHED', os.getuid())",
    "its host": "import socket; print('REACHED', socket.gethostname())",
    "a socket": "import socket; socket.socket().connect(('127.0.0.1', {port})); print('REACHED')",
    "a UDP socket": "import socket; socket.socket(2, 2).sendto(b'x', ('127.0.0.1', {port})); print('REACHED')",
    "a UNIX socket": "import socket; socket.socket(1).connect('{folder}/socket'); print('REACHED')",
    "urllib": "import urllib.request; urllib.request.urlopen('http://127.0.0.1:{port}'); print('REACHED')",
    "a name": "import socket; socket.getaddrinfo('localhost', 80); print('REACHED')",
    "asyncio": "import asyncio; asyncio.run(asyncio.sleep(0)); print('REACHED')",
    "os.system": "import os; os.system('touch {folder}/written'); print('REACHED')",
    "subprocess": "import subprocess; subprocess.run(['touch', '{folder}/written']); print('REACHED')",
    "fork": "import os; os.fork(); print('REACHED')",
    "exec": "import os; os.execv('/bin/sh', ['sh', '-c', 'touch {folder}/written'])",
    "spawn": "import os; os.posix_spawn('/bin/sh', ['sh'], {}); print('REACHED')",
    "a thread": "import threading; threading.Thread(target=print, args=('REACHED',)).start()",
    "a low thread": "import _thread; _thread.start_new_thread(print, ('REACHED',))",
    "a process pool": "import multiprocessing; multiprocessing.Process(target=print).start(); print('REACHED')",
    "a signal": "import os; os.kill(os.getppid(), 9); print('REACHED')",
    "a signal to a group": "import os; os.killpg(0, 9); print('REACHED')",
    "ctypes": "import ctypes; ctypes.CDLL(None).system(b'touch {folder}/written'); print('REACHED')",
    "a wild pointer": "import ctypes; ctypes.string_at(0)",
    "mmap": "import mmap; mmap.mmap(-1, 10); print('REACHED')",
    "other descriptors": "import os\nfor fd in range(3, 64):\n    try: os.write(fd, b'x'); print('REACHED', fd)\n    except OSError: pass",
    "dup": "import os; os.dup2(1, 7); print('REACHED')",
    "a pipe": "import os; os.pipe(); print('REACHED')",
    "a limit": "import resource; resource.setrlimit(resource.RLIMIT_CPU, (1, 1)); print('REACHED')",
    "a package": "import numpy; print('REACHED')",
    "pip": "import pip; print('REACHED')",
    "the workbook": "import utils; print('REACHED')",
    "the host's modules": "import sys; print('REACHED' if any('site-packages' in p for p in sys.path) else '')",
    "a webbrowser": "import webbrowser; print('REACHED' if webbrowser.open('http://127.0.0.1:{port}') else '')",
    "memory": "x = bytearray(2**30); print('REACHED')",
    "memory in pieces": "x = []\nwhile True: x.append(bytearray(2**20))",
    "much output": "while True: print('x' * 10**6)",
    "an endless regular expression": "import re; re.match('(a+)+$', 'a' * 40 + 'b')",
    "an endless power": "print('REACHED' if 9 ** 9 ** 9 else '')",
    "a code object": "exec(compile('x', '', 'exec').replace(co_code=bytes(range(256)) * 4, co_stacksize=0))",
    "faulthandler": "import faulthandler; faulthandler._sigsegv()",
    "a deep parse": "eval('(' * 10**5)",
}  # fmt: skip
