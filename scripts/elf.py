"""What the LLVM tools report about an Android library. Imported by scripts/size and
scripts/check-aar."""

import re
import shutil
import subprocess

TOOLS = ("llvm-nm", "llvm-strip", "llvm-readelf")
FFI = re.compile(r"(uniffi|ffi)_number_verify_")


def missing_tools():
    return [tool for tool in TOOLS if not shutil.which(tool)]


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def machine(library):
    """Such as `AArch64`, or `None` if the file cannot be read as a library."""
    header = subprocess.run(["llvm-readelf", "-h", str(library)], check=False, capture_output=True, text=True)
    found = re.search(r"Machine: +(.+)", header.stdout)
    return found[1] if found and not header.returncode else None


def unaligned_segments(library):
    """The segments that Android cannot load with pages of 16 KB."""
    headers = run("llvm-readelf", "-lW", str(library)).splitlines()
    loads = [line.split() for line in headers if line.strip().startswith("LOAD")]
    return [load for load in loads if int(load[-1], 16) < 0x4000]


def dynamic_symbols(library):
    """Index of the section, name, binding; the first two lines are headings, the first symbol has no name."""
    lines = run("llvm-readelf", "--dyn-syms", "-W", str(library)).splitlines()
    fields = [line.split() for line in lines if re.match(r" *\d+: ", line)]
    return [(field[6], field[7].split("@")[0], field[4]) for field in fields if len(field) > 7]


def needed_symbols(library):
    return {name: binding for section, name, binding in dynamic_symbols(library) if section == "UND"}


def exported_symbols(library):
    return {name for section, name, _ in dynamic_symbols(library) if section != "UND"}
