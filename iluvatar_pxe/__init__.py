"""iluvatar-pxe: zero-touch netboot provisioning for a home lab."""
