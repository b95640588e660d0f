#!/usr/bin/python3
"""Every system call of the library goes through src/os, and all that src/os calls goes through the tests' door.

usage: door_symbols.py NM LIBRARY SYMBOL...

LIBRARY is the static library, SYMBOL what the door wraps. Reads the undefined symbols of each object of the library.
In those of src/os each one must be wrapped or harmless: in the tables below. The other objects must use nothing that is
wrapped. Exit status 0: so it is, 1: it is not (one line each), 77: no static library to read.
"""

import os
import re
import subprocess
import sys

# C functions that enter no kernel, or only to wait or for memory.
HARMLESS = {
    "memcpy", "memmove", "memset", "memcmp", "memchr", "strlen", "strcmp", "strncmp", "snprintf", "vsnprintf",
    "__snprintf_chk", "__errno_location", "__libc_single_threaded", "aligned_alloc", "free", "malloc", "abort",
    "pthread_self", "pthread_mutex_lock", "pthread_mutex_trylock", "pthread_mutex_unlock", "pthread_cond_clockwait", "sched_yield",
    "__stack_chk_fail", "pthread_atfork", "__register_atfork", "__dso_handle", "__tls_get_addr", "__cpu_model", "bcmp", "sysconf", "__memcpy_chk", "__memmove_chk",
}  # fmt: skip
RUNTIME = re.compile(r"_GLOBAL_OFFSET_TABLE_|_Unwind_\w+|__cxa_\w+|__g(xx|cc)_personality_v0|__(start_|stop_)?(asan|tsan|ubsan|lsan|sanitizer|gcov)_\w+")

# C++, demangled: the project itself, and what of the standard library makes no system call.
CPP = re.compile(
    r"(typeinfo (name )?for |vtable for |guard variable for |construction vtable for )?"
    r"(non-virtual thunk to )?"
    r"(ckpt::|operator (new|delete)|__cxxabiv1::"
    r"|std::(__cxx11::basic_string|basic_string|allocator|__throw_|filesystem::__cxx11::path|condition_variable|mutex|thread::(join|_State)"
    r"|__glibcxx_assert_fail|runtime_error|logic_error|length_error|out_of_range|bad_alloc|bad_array_new_length|system_error|exception|__exception_ptr|current_exception|rethrow_exception|terminate|_V2::(system|generic)_category"
    r"|error_category|error_code|__detail|_Hash_bytes|chrono|__cxx11::to_string|uncaught_exceptions))"
)
# The working directory is asked for by the standard library; when that fails, the path stays as it is.
BESIDE_THE_DOOR = {"std::filesystem::absolute(std::filesystem::__cxx11::path const&, std::error_code&)"}
# Others may wait, sleep and start threads.
SHARED = {"syscall", "nanosleep"}


def objects(nm, library):
    """Name of the object -> its undefined symbols."""
    text = subprocess.run([nm, "-u", library], check=True, capture_output=True, text=True).stdout
    found, current = {}, None
    for line in text.splitlines():
        if line.endswith(":"):
            current = found.setdefault(line[:-1], set())
        elif match := re.match(r"\s*[Uw] (\S+)", line):
            current.add(match[1])
    return found


def demangled(symbols):
    names = sorted(symbols)
    text = subprocess.run(["c++filt"], input="\n".join(names), check=True, capture_output=True, text=True).stdout
    return dict(zip(names, text.splitlines()))


def is_harmless(symbol, name):
    return symbol in HARMLESS or RUNTIME.fullmatch(symbol) or CPP.match(name) or name in BESIDE_THE_DOOR


def main():
    nm, library, *wrapped = sys.argv[1:]
    if not os.path.exists(library) or not library.endswith(".a"):
        print(f"SKIPPED: {library} is no static library")
        return 77
    wrapped, problems, used = set(wrapped), [], set()
    found = objects(nm, library)
    names = demangled(set().union(*found.values()))
    in_os = {o for o in found if os.path.basename(o).startswith("os_")}
    for name, symbols in sorted(found.items()):
        if name in in_os:
            used |= symbols & wrapped
            problems += [f"{name}: {names[s]}: past the door" for s in sorted(symbols - wrapped) if not is_harmless(s, names[s])]
        else:
            calls = {s for s in symbols & wrapped if not s.startswith("_Z")} - SHARED
            problems += [f"{name}: {s}: only src/os makes system calls" for s in sorted(calls)]
    problems += [f"{s}: wrapped, and nothing in src/os calls it" for s in sorted(wrapped - used)]
    print(*problems, sep="\n")
    print(f"{len(in_os)} objects of src/os of {len(found)}, {len(used)} functions behind the door")
    return 1 if problems or not in_os else 0


if __name__ == "__main__":
    sys.exit(main())
