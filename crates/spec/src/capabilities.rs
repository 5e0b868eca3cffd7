//! Capabilities of programs: the value of `security.capability`, as `setcap` writes it.

/// The names, by their numbers, from Linux' `capability.h`.
const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// The attribute.
pub(crate) const ATTRIBUTE: &str = "security.capability";

/// `VFS_CAP_REVISION_2`: two words of 32 bits for each set.
const REVISION: u32 = 0x0200_0000;
/// `VFS_CAP_FLAGS_EFFECTIVE`.
const EFFECTIVE: u32 = 1;

/// The value for a text such as `cap_net_raw,cap_net_admin=ep`: capabilities, `=` or `+`, and flags, of which `p` is
/// permitted, `i` inheritable, and `e` in effect from the start.
///
/// # Errors
/// What is wrong with the text.
pub(crate) fn value(text: &str) -> Result<Vec<u8>, String> {
    let split = text.find(['=', '+']).map(|at| (&text[..at], &text[at + 1..]));
    let (names, flags) = split.ok_or("must be capabilities and flags, such as cap_net_raw=ep")?;
    let mut set = 0u64;
    for name in names.split(',') {
        let number = name
            .strip_prefix("cap_")
            .and_then(|name| NAMES.iter().position(|known| *known == name));
        set |= 1 << number.ok_or_else(|| format!("there is no capability {name:?}"))?;
    }
    if let Some(odd) = flags.chars().find(|flag| !"eip".contains(*flag)) {
        return Err(format!("there is no flag {odd:?}; there are e, i and p"));
    }
    let with = |flag: char| if flags.contains(flag) { set } else { 0 };
    let (permitted, inheritable) = (with('p'), with('i'));
    if permitted == 0 && inheritable == 0 {
        return Err("allows nothing without the flag p or i".into());
    }
    let effective = if flags.contains('e') { EFFECTIVE } else { 0 };
    let mut value = (REVISION | effective).to_le_bytes().to_vec();
    for shift in [0, 32] {
        for set in [permitted, inheritable] {
            value.extend_from_slice(&(set >> shift).to_le_bytes()[..4]);
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::value;

    /// What `setcap` writes for the same texts, as `getfattr -e hex` shows it.
    #[test]
    fn values_are_those_of_setcap() {
        for (text, wanted) in [
            ("cap_net_raw=ep", "0100000200200000000000000000000000000000"),
            ("cap_net_raw+p", "0000000200200000000000000000000000000000"),
            (
                "cap_chown,cap_bpf=eip",
                "0100000201000000010000008000000080000000",
            ),
        ] {
            assert_eq!(HEXLOWER.encode(&value(text).unwrap()), wanted, "{text}");
        }
        for wrong in [
            "",
            "cap_net_raw",
            "net_raw=ep",
            "cap_x=ep",
            "cap_net_raw=e",
            "cap_net_raw=epx",
        ] {
            assert!(value(wrong).is_err(), "{wrong}");
        }
    }
}
