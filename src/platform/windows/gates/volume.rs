//! Class 18: how loud the machine is. A session that has muted it, or made it loud, does not decide that for the next.

use std::ffi::c_void;
use std::ptr::{null, null_mut};

use serde::{Deserialize, Serialize};
use windows_sys::Win32::System::Com::{
    CLSCTX_ALL, COINIT_MULTITHREADED, CoCreateInstance, CoInitializeEx, CoUninitialize,
};
use windows_sys::core::{GUID, HRESULT};

use super::{Gate, Ground, Look, Trace};

pub(super) const GATES: [Gate; 1] = [Gate {
    class: 18,
    name: "volume",
    what: "changes",
    method: "the default output's volume against its baseline",
    inside: true,
    partial: None,
    look,
    clear: Some(|ground, _| {
        if let Some(before) = &ground.baseline.state.volume {
            before.put();
        }
    }),
}];

static ENUMERATOR: GUID = GUID::from_u128(0xbcde0395_e52f_467c_8e3d_c4579291692e);
static IENUMERATOR: GUID = GUID::from_u128(0xa95664d2_9614_4f35_a746_de8db63617e6);
static IVOLUME: GUID = GUID::from_u128(0x5cdf2c82_841e_4546_9722_0cf74078229a);
/// Sound that is heard (eRender), by whoever plays it (eMultimedia).
const RENDER: i32 = 0;
const MULTIMEDIA: i32 = 1;

/// How loud it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Volume {
    percent: u8,
    muted: bool,
}

/// The calls of IMMDeviceEnumerator, as far as the one that is used.
#[repr(C)]
struct Devices {
    unknown: Unknown,
    enumerate: usize,
    default: unsafe extern "system" fn(*mut c_void, i32, i32, *mut *mut c_void) -> HRESULT,
}

/// The calls of IMMDevice, as far as the one that is used.
#[repr(C)]
struct Device {
    unknown: Unknown,
    activate:
        unsafe extern "system" fn(*mut c_void, *const GUID, u32, *const c_void, *mut *mut c_void) -> HRESULT,
}

/// The calls of IAudioEndpointVolume, up to the last that is used.
#[repr(C)]
struct Endpoint {
    unknown: Unknown,
    between: [usize; 4],
    set: unsafe extern "system" fn(*mut c_void, f32, *const GUID) -> HRESULT,
    level: usize,
    get: unsafe extern "system" fn(*mut c_void, *mut f32) -> HRESULT,
    channels: [usize; 4],
    mute: unsafe extern "system" fn(*mut c_void, i32, *const GUID) -> HRESULT,
    muted: unsafe extern "system" fn(*mut c_void, *mut i32) -> HRESULT,
}

/// The calls that every interface begins with.
#[repr(C)]
struct Unknown {
    query: usize,
    add: usize,
    release: unsafe extern "system" fn(*mut c_void) -> u32,
}

/// An interface that is given back when it is dropped.
struct Held(*mut c_void);

impl Held {
    /// Its calls.
    ///
    /// # Safety
    /// `T` must be how this interface's calls begin.
    #[expect(unsafe_code, reason = "interfaces of Windows are tables of calls")]
    unsafe fn calls<T>(&self) -> &T {
        // SAFETY: an interface is a pointer to a pointer to its calls; the caller says which they are.
        unsafe { &**self.0.cast::<*const T>() }
    }

    /// What a call has answered, where it did.
    fn given(code: HRESULT, place: *mut c_void) -> Option<Self> {
        (code >= 0 && !place.is_null()).then(|| Self(place))
    }
}

impl Drop for Held {
    #[expect(unsafe_code, reason = "interfaces are given back by their own call")]
    fn drop(&mut self) {
        // SAFETY: every interface begins with these calls; this one was given to us and is not used any more.
        let _ = unsafe { (self.calls::<Unknown>().release)(self.0) };
    }
}

/// Does something with the default output's volume; `None` where there is no output.
#[expect(unsafe_code, reason = "interfaces of Windows are tables of calls")]
fn with<T>(deed: impl FnOnce(&Held, &Endpoint) -> Option<T>) -> Option<T> {
    // SAFETY: without a place for more; it is given back below where it was taken.
    let begun = unsafe { CoInitializeEx(null(), u32::try_from(COINIT_MULTITHREADED).unwrap_or(0)) };
    let done = (|| {
        let mut place = null_mut();
        // SAFETY: the ids are those of the enumerator; the places outlive the calls.
        let devices = unsafe {
            let code = CoCreateInstance(
                std::ptr::from_ref(&ENUMERATOR),
                null_mut(),
                CLSCTX_ALL,
                std::ptr::from_ref(&IENUMERATOR),
                &raw mut place,
            );
            Held::given(code, place)?
        };
        let mut place = null_mut();
        // SAFETY: as above; these are the calls of the interface that was asked for.
        let device = unsafe {
            let code = (devices.calls::<Devices>().default)(devices.0, RENDER, MULTIMEDIA, &raw mut place);
            Held::given(code, place)?
        };
        let mut place = null_mut();
        // SAFETY: as above.
        let endpoint = unsafe {
            let code = (device.calls::<Device>().activate)(
                device.0,
                std::ptr::from_ref(&IVOLUME),
                CLSCTX_ALL,
                null(),
                &raw mut place,
            );
            Held::given(code, place)?
        };
        // SAFETY: as above.
        deed(&endpoint, unsafe { endpoint.calls::<Endpoint>() })
    })();
    if begun >= 0 {
        // SAFETY: it was taken above, and nothing of it is held any more.
        unsafe { CoUninitialize() };
    }
    done
}

impl Volume {
    #[expect(unsafe_code, reason = "interfaces of Windows are tables of calls")]
    pub(super) fn take() -> Option<Self> {
        with(|endpoint, calls| {
            let (mut level, mut muted) = (0.0_f32, 0);
            // SAFETY: the interface is held; the places outlive the calls.
            let (got, told) = unsafe {
                ((calls.get)(endpoint.0, &raw mut level), (calls.muted)(endpoint.0, &raw mut muted))
            };
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it is clamped to 0 to 100"
            )]
            let percent = (level * 100.0).round().clamp(0.0, 100.0) as u8;
            (got >= 0 && told >= 0).then_some(Self { percent, muted: muted != 0 })
        })
    }

    #[expect(unsafe_code, reason = "interfaces of Windows are tables of calls")]
    fn put(&self) {
        // Whether it worked is for the second look to tell.
        let _ = with(|endpoint, calls| {
            let level = f32::from(self.percent) / 100.0;
            // SAFETY: the interface is held; nobody is named as who changes it.
            unsafe {
                let _ = (calls.set)(endpoint.0, level, null());
                let _ = (calls.mute)(endpoint.0, i32::from(self.muted), null());
            }
            Some(())
        });
    }
}

fn look(ground: &Ground) -> Look {
    match (&ground.baseline.state.volume, Volume::take()) {
        (None, None) => Look::not_here("this machine has nothing that is heard"),
        (Some(before), Some(now)) if *before != now => Look::Anew(vec![Trace::of(format!(
            "{} %{}",
            now.percent,
            if now.muted { ", muted" } else { "" }
        ))]),
        // An output that was plugged in or out is nobody's trace.
        (Some(_) | None, _) => Look::Anew(Vec::new()),
    }
}
