//! Files and directories that the station's account alone may read: how they are made, and how one tells that
//! they still are. Each system closes them in its own way.

pub use crate::platform::native::private::*;
