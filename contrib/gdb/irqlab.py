"""
gdb support for irqlab: source lines, breakpoints and back traces in drivers and in the machine's kernel.

    gdb -x contrib/gdb/irqlab.py --args build/irqlab run --gdb build/examples/stuck.sys
    (gdb) break DriverEntry
    (gdb) run

What it does:
 - follows the supervisor's child, the worker process, which is the machine;
 - passes the signals on that are the machine's traps;
 - adds the symbols of each image when the machine maps it (the worker calls debug_image_loaded for that purpose);
 - unwinds PE frames by their .pdata: gdb knows DWARF frames only, and clang gives PE images none.

Breakpoints in the machine's code are hardware breakpoints: four at a time.

Images are looked for where the command line names them, in --symbols DIR, beside the program (nt/) and in ../lib/irqlab.
Addresses of the machine are the same in every run, so breakpoints set by address stay valid.
"""

import os
import struct

import gdb
from gdb.unwinder import Unwinder

IMAGE_BASE, IMAGE_END = 0x1A0000000000, 0x1A0080000000  # include/door.h
REGISTERS = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
             "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"]


class Image:
    """One mapped image, with the file it comes from (for its unwind data and preferred base)."""

    def __init__(self, name, base, size, path):
        self.name, self.base, self.size, self.path = name, base, size, path
        self.data = b""
        self.sections = []
        self.preferred = None
        self.pdata = []
        if path:
            with open(path, "rb") as file:
                self.data = file.read()
            self.read_headers()

    def read_headers(self):
        pe = struct.unpack_from("<I", self.data, 60)[0]
        count, optional = struct.unpack_from("<H", self.data, pe + 6)[0], struct.unpack_from("<H", self.data, pe + 20)[0]
        self.preferred = struct.unpack_from("<Q", self.data, pe + 24 + 24)[0]
        for i in range(count):
            size, rva, raw_size, raw = struct.unpack_from("<IIII", self.data, pe + 24 + optional + 40 * i + 8)
            self.sections.append((rva, raw_size, raw))
        rva, size = struct.unpack_from("<II", self.data, pe + 24 + 112 + 8 * 3)
        table = self.at(rva, size) if rva else b""
        self.pdata = [struct.unpack_from("<III", table, i) for i in range(0, len(table) - 11, 12)]

    def at(self, rva, size):
        for start, length, raw in self.sections:
            if start <= rva and rva + size <= start + length:
                return self.data[raw + rva - start:raw + rva - start + size]
        return b""

    def function(self, rva):
        """(begin, end, unwind rva) of the function that holds rva, or None."""
        low, high = 0, len(self.pdata)
        while low < high:
            middle = (low + high) // 2
            begin, end, unwind = self.pdata[middle]
            if rva < begin:
                high = middle
            elif rva >= end:
                low = middle + 1
            else:
                return begin, end, unwind
        return None

    def unwind_info(self, rva):
        """(flags, prologue bytes, frame register, its offset, codes, chained entry)"""
        head = self.at(rva, 4)
        if len(head) < 4:
            return None
        flags, prologue, count, frame = head[0] >> 3, head[1], head[2], head[3]
        raw = self.at(rva + 4, count * 2)
        slots = [struct.unpack_from("<H", raw, 2 * i)[0] for i in range(len(raw) // 2)]
        codes, i = [], 0
        while i < len(slots):
            where, op, info = slots[i] & 0xFF, slots[i] >> 8 & 15, slots[i] >> 12
            extra = {1: 2 if info else 1, 4: 1, 5: 2, 6: 0, 8: 1, 9: 2}.get(op, 0)
            codes.append((where, op, info, slots[i + 1:i + 1 + extra]))
            i += 1 + extra
        chained = None
        if flags & 4:
            entry = self.at(rva + 4 + (count + 1 & ~1) * 2, 12)
            chained = struct.unpack("<III", entry) if len(entry) == 12 else None
        return flags, prologue, frame & 15, (frame >> 4) * 16, codes, chained


images = {}


def arguments():
    """What the supervisor was started with (the worker's parent: gdb follows the child and has forgotten it), and where."""
    try:
        with open("/proc/%d/stat" % gdb.selected_inferior().pid) as file:
            parent = int(file.read().rpartition(")")[2].split()[1])
        with open("/proc/%d/cmdline" % parent, "rb") as file:
            return [word.decode(errors="replace") for word in file.read().split(b"\0")], os.readlink("/proc/%d/cwd" % parent)
    except OSError:
        return [], "."


def find_file(name):
    """Where the image of that name lies on the host, or None."""
    words, cwd = arguments()
    folders, named = [], []
    for i, word in enumerate(words):
        if word == "--symbols" and i + 1 < len(words):
            folders.append(words[i + 1])
        elif word.startswith("--symbols="):
            folders.append(word[10:])
        elif os.path.basename(word).lower() == name.lower():
            named.append(word)
    program = gdb.current_progspace().filename or ""
    here = os.path.dirname(os.path.realpath(program))
    folders += [os.path.join(here, "nt"), os.path.join(here, "..", "lib", "irqlab")]
    for path in [os.path.join(cwd, p) for p in [os.path.join(f, name) for f in folders] + named]:
        if os.path.isfile(path):
            return path
    return None


def add_image(name, base, size):
    path = find_file(name)
    image = Image(name, base, size, path)
    images[base] = image
    if path:
        delta = base - image.preferred
        gdb.execute("add-symbol-file %s -o %#x" % (path.replace(" ", "\\ "), delta & 0xFFFFFFFFFFFFFFFF), to_string=True)
    else:
        gdb.write("irqlab: %s is mapped at %#x; its file was not found\n" % (name, base))


class ImageLoaded(gdb.Breakpoint):
    def __init__(self):
        super().__init__("debug_image_loaded", internal=True)

    def stop(self):
        frame = gdb.selected_frame()
        name = frame.read_register("rdi").cast(gdb.lookup_type("char").pointer()).string(errors="replace")
        add_image(name, int(frame.read_register("rsi")) & (2**64 - 1), int(frame.read_register("rdx")) & (2**64 - 1))
        return False


class ImageUnloaded(gdb.Breakpoint):
    def __init__(self):
        super().__init__("debug_image_unloaded", internal=True)

    def stop(self):
        base = int(gdb.selected_frame().read_register("rsi")) & (2**64 - 1)
        image = images.pop(base, None)
        if image and image.path:
            for begin, _, _ in image.pdata[:1]:
                gdb.execute("remove-symbol-file -a %#x" % (base + begin), to_string=True)
        return False


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class Walk:
    """Registers of a frame while its function's prologue is undone."""

    def __init__(self, frame, image):
        self.image = image
        self.word = gdb.lookup_type("unsigned long long")
        self.inferior = gdb.selected_inferior()
        self.reg = {r: int(frame.read_register(r).cast(self.word)) for r in REGISTERS}
        self.pc = int(frame.read_register("rip").cast(self.word))

    def read(self, address):
        return struct.unpack("<Q", bytes(self.inferior.read_memory(address, 8)))[0]

    def code(self, bytes_wanted):
        return bytes(self.inferior.read_memory(self.pc, bytes_wanted))

    def pop(self, register):
        self.reg[register] = self.read(self.reg["rsp"])
        self.reg["rsp"] += 8

    def epilogue(self):
        """When pc is in an epilogue (add rsp or lea rsp, pops, ret), carry it out; else False."""
        try:
            code = self.code(48)
        except gdb.MemoryError:
            return False
        i, add, pops = 0, 0, []
        if code[0:3] == b"\x48\x83\xc4":
            add, i = code[3], 4
        elif code[0:3] == b"\x48\x81\xc4":
            add, i = struct.unpack_from("<I", code, 3)[0], 7
        while i < len(code) - 2:
            if 0x58 <= code[i] <= 0x5F:
                pops.append(REGISTERS[code[i] - 0x58])
                i += 1
            elif code[i] == 0x41 and 0x58 <= code[i + 1] <= 0x5F:
                pops.append(REGISTERS[8 + code[i + 1] - 0x58])
                i += 2
            else:
                break
        if code[i] != 0xC3 and code[i:i + 2] != b"\xf3\xc3":
            return False
        self.reg["rsp"] += add
        for register in pops:
            self.pop(register)
        return True

    def undo(self, function, rva):
        """Undo the prologue as far as it has run; True when a machine frame ended it (the context is then complete)."""
        offset = rva - function[0]
        while function:
            info = self.image.unwind_info(function[2])
            if not info:
                return False
            _, prologue, register, frame_offset, codes, chained = info
            # Once the frame register is set it is the base, whatever RSP is now.
            set_at = [where for where, op, _, _ in codes if op == 3]
            base = self.reg[REGISTERS[register]] - frame_offset if register and (not set_at or offset >= set_at[0]) \
                else self.reg["rsp"]
            for where, op, value, extra in codes:
                if where > offset:
                    continue
                if op == 0:
                    self.pop(REGISTERS[value])
                elif op == 1:
                    self.reg["rsp"] += extra[0] * 8 if value == 0 else extra[0] | extra[1] << 16
                elif op == 2:
                    self.reg["rsp"] += value * 8 + 8
                elif op == 3:
                    self.reg["rsp"] = self.reg[REGISTERS[register]] - frame_offset
                elif op in (4, 5):
                    at = base + (extra[0] * 8 if op == 4 else extra[0] | extra[1] << 16)
                    self.reg[REGISTERS[value]] = self.read(at)
                elif op == 10:
                    at = self.reg["rsp"] + (8 if value else 0)
                    self.pc, self.reg["rsp"] = self.read(at), self.read(at + 24)
                    return True
            function, offset = chained, 0xFFFFFFFF
        return False


class PeUnwinder(Unwinder):
    def __init__(self):
        super().__init__("irqlab")

    def __call__(self, pending):
        word = gdb.lookup_type("unsigned long long")
        pc = int(pending.read_register("rip").cast(word))
        if not IMAGE_BASE <= pc < IMAGE_END:
            return None
        image = next((i for i in images.values() if i.base <= pc < i.base + i.size), None)
        walk = Walk(pending, image)
        start = pc
        try:
            function = image.function(pc - image.base) if image and image.data else None
            complete = False
            if function:
                start = image.base + function[0]
                past_prologue = pc - image.base - function[0] > 0
                if not (past_prologue and walk.epilogue()):
                    complete = walk.undo(function, pc - image.base)
            if not complete: # a leaf or a thunk has its return address on top of the stack
                walk.pc = walk.read(walk.reg["rsp"])
                walk.reg["rsp"] += 8
        except gdb.MemoryError:
            return None
        info = pending.create_unwind_info(FrameId(gdb.Value(walk.reg["rsp"]).cast(word), gdb.Value(start).cast(word)))
        for register, value in walk.reg.items(): # all: gdb takes one that is not given as lost, not as unchanged
            info.add_saved_register(register, gdb.Value(value).cast(word))
        info.add_saved_register("rip", gdb.Value(walk.pc).cast(word))
        return info


def setup():
    for command in ("set follow-fork-mode child", "set follow-exec-mode same", "set detach-on-fork on",
                    "set breakpoint pending on", "set confirm off", "set python print-stack message",
                    "handle SIGSEGV SIGSYS SIGILL SIGFPE SIGBUS SIGPROF SIGVTALRM nostop noprint pass",
                    # Code of the machine is a shared mapping, which a debugger may not write to: gdb takes the processor's
                    # own breakpoints there (four of them) when it is told that the range is read-only.
                    "set mem inaccessible-by-default off",
                    "mem %#x %#x ro" % (IMAGE_BASE, IMAGE_END),
                    "directory " + os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..")):
        gdb.execute(command, to_string=True)
    gdb.unwinder.register_unwinder(None, PeUnwinder(), replace=True)
    ImageLoaded()
    ImageUnloaded()


setup()
