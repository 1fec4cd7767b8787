"""A machine whose clock is wrong: processes that see another time than the others do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from tests.conftest import missing

_SHIFT = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long shift(void) { const char *s = getenv("TEST_CLOCK_SECONDS"); return s ? atol(s) : 0; }

int clock_gettime(clockid_t id, struct timespec *t) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, t);
    if (!result && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) t->tv_sec += shift();
    return result;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone) {
    int (*real)(struct timeval *, void *) = dlsym(RTLD_NEXT, "gettimeofday");
    int result = real(t, zone);
    if (!result) t->tv_sec += shift();
    return result;
}

time_t time(time_t *t) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (t) *t = now.tv_sec;
    return now.tv_sec;
}
"""


def shifted(folder: Path, by: timedelta) -> Mapping[str, str]:
    """Return what the environment of a process needs to see a time that is off by so much."""
    if not sys.platform.startswith("linux") or not shutil.which("cc"):
        missing("a clock can be shifted on Linux with a C compiler only")
    library = folder / "shifted.so"
    if not library.exists():
        source = folder / "shifted.c"
        source.write_text(_SHIFT)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return {"LD_PRELOAD": str(library), "TEST_CLOCK_SECONDS": str(round(by.total_seconds()))}
