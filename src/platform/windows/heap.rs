//! What the shell gives back of its memory is wiped first.
//!
//! Titles, keys and words pass through toolkits that know nothing of secrets: they copy, cache and let
//! go. A session's text then lies in free memory until something else comes to stand there. With this
//! allocator nothing outlives its owner. C libraries have memory of their own, which it does not reach.

use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator, wiping what is given back.
pub struct Wiping;

// SAFETY: every call goes to the system's allocator with the layout that it was given; memory is
// written to only within its layout, and only before it is given back.
#[expect(unsafe_code, reason = "an allocator is made of raw memory")]
unsafe impl GlobalAlloc for Wiping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are handed on as they are.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller gives back memory that has this layout and that nobody uses any more.
        unsafe {
            wipe(memory, layout.size());
            System.dealloc(memory, layout);
        }
    }

    /// Always moves: the system's own way of growing would leave the old copy as it was.
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that `size` is a good size for this alignment, and that `memory`
        // has this layout; the new memory is another, so that the two do not overlap.
        unsafe {
            let moved = System.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                std::ptr::copy_nonoverlapping(memory, moved, layout.size().min(size));
                self.dealloc(memory, layout);
            }
            moved
        }
    }
}

/// Fills memory with zeros. Unlike a plain write, this one is not left out because the memory is freed next: the
/// compiler must take it that somebody reads it.
///
/// # Safety
/// There are `size` bytes that nobody else uses.
#[expect(unsafe_code, reason = "an allocator is made of raw memory")]
unsafe fn wipe(memory: *mut u8, size: usize) {
    // SAFETY: the caller's promise; the empty line of assembler touches nothing.
    unsafe {
        memory.write_bytes(0, size);
        std::arch::asm!("/* {0} */", in(reg) memory, options(nostack, preserves_flags));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(unsafe_code, reason = "an allocator is made of raw memory")]
    fn what_grows_and_shrinks_keeps_its_content() {
        let layout = Layout::from_size_align(8, 8).unwrap();
        // SAFETY: each piece of memory is used within its layout, and given back once.
        unsafe {
            let first = Wiping.alloc(layout);
            first.copy_from_nonoverlapping(b"12345678".as_ptr(), 8);
            let second = Wiping.realloc(first, layout, 64);
            assert_eq!(std::slice::from_raw_parts(second, 8), b"12345678");
            let third = Wiping.realloc(second, Layout::from_size_align(64, 8).unwrap(), 4);
            assert_eq!(std::slice::from_raw_parts(third, 4), b"1234");
            Wiping.dealloc(third, Layout::from_size_align(4, 8).unwrap());
        }
    }
}
