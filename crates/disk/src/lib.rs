//! Disks: named regions and partition tables become one image.
