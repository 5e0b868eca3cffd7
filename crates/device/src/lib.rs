//! What a device has to know of its slots: RAUC, U-Boot, and the first boot.
