//! A thread that lives on one desktop, owns windows there, and does what is asked of it.
//!
//! A window belongs to the thread that made it, and a thread to one desktop. Whoever asks waits with a
//! deadline, so that a desktop that does not answer is an error and never a hang. A thread of this kind
//! never sends a message to a window of another thread: an app that hangs cannot hold it.

#![expect(unsafe_code, reason = "windows and messages are the system's own")]

use std::cell::{Cell, RefCell};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use windows_sys::Win32::Foundation::{HWND, LPARAM, LRESULT, RECT, WPARAM};
use windows_sys::Win32::Graphics::Gdi::{BLACK_BRUSH, GetStockObject};
use windows_sys::Win32::System::LibraryLoader::GetModuleHandleW;
use windows_sys::Win32::System::Threading::{CreateEventW, SetEvent};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    CreateWindowExW, DefWindowProcW, DestroyWindow, DispatchMessageW, IDC_ARROW, LoadCursorW, MA_NOACTIVATE,
    MSG, MWMO_INPUTAVAILABLE, MsgWaitForMultipleObjectsEx, PM_NOREMOVE, PM_REMOVE, PeekMessageW, QS_ALLINPUT,
    RegisterClassExW, WM_CLOSE, WM_DISPLAYCHANGE, WM_MOUSEACTIVATE, WM_SETTINGCHANGE, WM_USER, WNDCLASSEXW,
    WS_EX_NOACTIVATE, WS_EX_TOOLWINDOW, WS_EX_TOPMOST, WS_POPUP,
};

use super::desktop::Desktop;
use super::{refused, wide};
use crate::ports::{PortError, Result};

/// How long whoever asks waits (requirement L-03).
pub(super) const CONFIRM: Duration = Duration::from_secs(1);
/// The class of the shell's native windows.
const CLASS: &str = "CleanshiftSurface";

/// What a pump's thread owns, and what it does with what comes.
pub(super) trait Hands {
    /// A message was taken from the queue; `true` where it needs nothing more.
    fn message(&mut self, _message: &MSG) -> bool {
        false
    }
    /// The monitors or the system's settings have changed.
    fn changed(&mut self) {}
    /// The time between two looks is over.
    fn tick(&mut self) {}
}

type Task<T> = Box<dyn FnOnce(&mut T) + Send>;

/// A thread on a desktop. It ends, and its windows with it, when this is dropped.
pub(super) struct Pump<T> {
    tasks: Mutex<Option<Sender<Task<T>>>>,
    wake: Arc<OwnedHandle>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
    /// Let go of only when the thread has ended.
    _desktop: Arc<Desktop>,
}

/// What a thread does with a message that is sent to one of its windows, before anything else; `None`: nothing.
pub(super) type Sent = Box<dyn FnMut(u32, WPARAM, LPARAM) -> Option<LRESULT>>;

thread_local! {
    /// Whether a sent message has told of a change.
    static CHANGED: Cell<bool> = const { Cell::new(false) };
    static SENT: RefCell<Option<Sent>> = const { RefCell::new(None) };
}

/// From now on the calling thread does this with what is sent to its windows.
pub(super) fn on_sent(sent: Sent) {
    SENT.set(Some(sent));
}

impl<T: Hands + 'static> Pump<T> {
    /// Starts the thread on `desktop`; `make` makes there what it owns. `every` is the longest time between
    /// two looks.
    ///
    /// # Errors
    /// When the thread cannot be on that desktop, or `make` fails.
    pub(super) fn start(
        desktop: Arc<Desktop>,
        every: Duration,
        make: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<Self> {
        // SAFETY: no attributes and no name are given; the handle is checked before it is owned.
        let event = unsafe { CreateEventW(std::ptr::null(), 0, 0, std::ptr::null()) };
        if event.is_null() {
            return Err(PortError(format!("make the signal of a thread: {}", refused())));
        }
        // SAFETY: the event was just made and nobody else closes it.
        let wake = Arc::new(unsafe { OwnedHandle::from_raw_handle(event) });
        let (tasks, queue) = channel();
        let (ready, is_ready) = channel();
        let woken = Arc::clone(&wake);
        let there = Arc::clone(&desktop);
        let thread = std::thread::spawn(move || {
            let made = there.take_thread().and_then(|()| {
                have_queue();
                make()
            });
            // The one that is dropped last must not be this one, while its thread is there.
            drop(there);
            match made {
                Ok(hands) => {
                    let _ = ready.send(Ok(()));
                    work(hands, &queue, &woken, every);
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        });
        // The first window of a desktop brings up more than itself.
        match is_ready.recv_timeout(CONFIRM * 8) {
            Ok(Ok(())) => {
                let (tasks, thread) = (Mutex::new(Some(tasks)), Mutex::new(Some(thread)));
                Ok(Self { tasks, wake, thread, _desktop: desktop })
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(PortError::new("hear from a thread of the display in time")),
        }
    }

    /// Has this done, and waits for the answer with a deadline.
    ///
    /// # Errors
    /// When the answer does not come in time; what was asked may still be done.
    pub(super) fn ask<R: Send + 'static>(
        &self,
        task: impl FnOnce(&mut T) -> R + Send + 'static,
    ) -> Result<R> {
        self.ask_for(CONFIRM, task)
    }

    /// The same, where more time may be taken: nothing is shown yet that must be covered.
    ///
    /// # Errors
    /// As of [`Pump::ask`].
    pub(super) fn ask_for<R: Send + 'static>(
        &self,
        patience: Duration,
        task: impl FnOnce(&mut T) -> R + Send + 'static,
    ) -> Result<R> {
        let (answer, answered) = channel();
        self.tell(move |hands| drop(answer.send(task(hands))))?;
        answered.recv_timeout(patience).map_err(|_| PortError::new("hear from the display in time"))
    }

    /// Has this done, and does not wait.
    ///
    /// # Errors
    /// When the thread is gone.
    pub(super) fn tell(&self, task: impl FnOnce(&mut T) + Send + 'static) -> Result<()> {
        let gone = || PortError::new("reach the display: its thread is gone");
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.as_ref().ok_or_else(gone)?.send(Box::new(task)).map_err(|_| gone())?;
        wake(&self.wake);
        Ok(())
    }
}

impl<T> Drop for Pump<T> {
    fn drop(&mut self) {
        drop(self.tasks.lock().unwrap_or_else(PoisonError::into_inner).take());
        wake(&self.wake);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Its windows are gone when this returns; a thread that does not end is left behind after a while.
        if let Some(thread) = thread {
            for _ in 0..100 {
                if thread.is_finished() {
                    let _ = thread.join();
                    return;
                }
                std::thread::sleep(CONFIRM / 100);
            }
        }
    }
}

/// From here on the thread has a queue for messages. A hook of a thread without one would not be called until its
/// first wait, and what comes meanwhile would pass it by.
fn have_queue() {
    let mut message = MSG::default();
    // SAFETY: the message is a plain structure of this frame; nothing is taken from the queue.
    let _ = unsafe { PeekMessageW(&mut message, std::ptr::null_mut(), WM_USER, WM_USER, PM_NOREMOVE) };
}

fn wake(event: &OwnedHandle) {
    // SAFETY: the event is open while it is borrowed.
    let _ = unsafe { SetEvent(event.as_raw_handle()) };
}

fn work<T: Hands>(mut hands: T, queue: &Receiver<Task<T>>, woken: &OwnedHandle, every: Duration) {
    let handle = woken.as_raw_handle();
    let every = u32::try_from(every.as_millis()).unwrap_or(u32::MAX);
    // SAFETY: GetTickCount64 takes nothing and only reads.
    let now = || unsafe { windows_sys::Win32::System::SystemInformation::GetTickCount64() };
    let mut looked = now();
    loop {
        let passed = u32::try_from(now().saturating_sub(looked)).unwrap_or(u32::MAX);
        // SAFETY: one open handle is given, and it lives until the call returns.
        let _ = unsafe {
            MsgWaitForMultipleObjectsEx(
                1,
                &handle,
                every.saturating_sub(passed),
                QS_ALLINPUT,
                MWMO_INPUTAVAILABLE,
            )
        };
        loop {
            match queue.try_recv() {
                Ok(task) => task(&mut hands),
                Err(std::sync::mpsc::TryRecvError::Empty) => break,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
            }
        }
        let mut message = MSG::default();
        // SAFETY: the message is a plain structure of this frame that the call fills.
        while unsafe { PeekMessageW(&mut message, std::ptr::null_mut(), 0, 0, PM_REMOVE) } != 0 {
            if !hands.message(&message) {
                // SAFETY: the message came from this thread's queue just now.
                let _ = unsafe { DispatchMessageW(&message) };
            }
        }
        if CHANGED.take() {
            hands.changed();
        }
        if now().saturating_sub(looked) >= u64::from(every) {
            looked = now();
            hands.tick();
        }
    }
}

/// What a window of the shell's own does with messages that are sent to it: it never closes, never takes
/// the keyboard, and notes that the monitors have changed.
unsafe extern "system" fn proc(window: HWND, message: u32, first: WPARAM, second: LPARAM) -> LRESULT {
    // What comes while the one before is still looked at is not: it would have to wait for itself.
    let sent = SENT.with(|sent| sent.try_borrow_mut().ok()?.as_mut()?(message, first, second));
    if let Some(answer) = sent {
        return answer;
    }
    match message {
        WM_CLOSE => 0,
        WM_MOUSEACTIVATE => isize::try_from(MA_NOACTIVATE).unwrap_or(3),
        WM_DISPLAYCHANGE | WM_SETTINGCHANGE => {
            CHANGED.set(true);
            0
        }
        // SAFETY: the arguments are the ones that the system has called with.
        _ => unsafe { DefWindowProcW(window, message, first, second) },
    }
}

/// A native window of the shell's: black, without a frame, above all others, never active. It is gone when
/// this is dropped, by the thread that made it.
pub(super) struct Surface(HWND);

impl Surface {
    /// Makes one, hidden.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn make(title: &str, place: RECT) -> Result<Self> {
        let (class, title) = (wide(CLASS), wide(title));
        // SAFETY: every pointer is to a value that outlives the call; a class that is registered twice is
        // refused, which is no harm: it stays as it was.
        let window = unsafe {
            let module = GetModuleHandleW(std::ptr::null());
            let known = WNDCLASSEXW {
                cbSize: u32::try_from(size_of::<WNDCLASSEXW>()).unwrap_or(0),
                lpfnWndProc: Some(proc),
                hInstance: module,
                hCursor: LoadCursorW(std::ptr::null_mut(), IDC_ARROW),
                hbrBackground: GetStockObject(BLACK_BRUSH),
                lpszClassName: class.as_ptr(),
                ..WNDCLASSEXW::default()
            };
            let _ = RegisterClassExW(&known);
            CreateWindowExW(
                WS_EX_TOPMOST | WS_EX_TOOLWINDOW | WS_EX_NOACTIVATE,
                class.as_ptr(),
                title.as_ptr(),
                WS_POPUP,
                place.left,
                place.top,
                place.right - place.left,
                place.bottom - place.top,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                module,
                std::ptr::null(),
            )
        };
        if window.is_null() {
            return Err(PortError(format!("make a window of the station's: {}", refused())));
        }
        Ok(Self(window))
    }

    /// Its handle.
    pub(super) fn window(&self) -> HWND {
        self.0
    }
}

impl Drop for Surface {
    fn drop(&mut self) {
        // SAFETY: the window is this thread's own: a surface cannot be sent to another.
        let _ = unsafe { DestroyWindow(self.0) };
    }
}
