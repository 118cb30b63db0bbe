//! Counts the allocations of the program, at the level of the global allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

pub struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// Allocations since [`begin`].
#[derive(Debug, Clone, Copy)]
pub struct Allocated {
    pub allocations: usize,
    /// The peak of allocated bytes, beyond those that were allocated at the beginning.
    pub peak_bytes: usize,
}

/// The state at the beginning of a measurement.
#[derive(Clone, Copy)]
pub struct Mark {
    allocations: usize,
    live: usize,
}

pub fn begin() -> Mark {
    let live = LIVE.load(Relaxed);
    PEAK.store(live, Relaxed);
    Mark { allocations: ALLOCATIONS.load(Relaxed), live }
}

impl Mark {
    pub fn end(self) -> Allocated {
        Allocated {
            allocations: ALLOCATIONS.load(Relaxed) - self.allocations,
            peak_bytes: PEAK.load(Relaxed).saturating_sub(self.live),
        }
    }
}

fn grew(bytes: usize) {
    ALLOCATIONS.fetch_add(1, Relaxed);
    let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(live, Relaxed);
}

#[expect(unsafe_code, reason = "an allocator is an unsafe trait; this one forwards to the system's")]
// SAFETY: every call is forwarded to the system's allocator with the same arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grew(layout.size());
        // SAFETY: guaranteed by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grew(layout.size());
        // SAFETY: guaranteed by the caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LIVE.fetch_sub(layout.size(), Relaxed);
        grew(size);
        // SAFETY: guaranteed by the caller.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: guaranteed by the caller.
        unsafe { System.dealloc(old, layout) }
    }
}
