#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Wireshark 4.4.19 (Debian 13: tshark 4.4.19-0+deb13u1): a script given to root by -X lua_script is not loaded, silently.
#
# Up to 4.2 `tshark -X lua_script:FILE` loads FILE for root as for anybody. From 4.4 on it does so for ordinary users only:
# for root (by user or group id, not by capability) neither that file nor what lies in root's own plugin folder is loaded,
# the exit code is 0, and the one line on stderr, "Running as user "root" and group "root". This could be dangerous.", is
# the same as ever; even a file that does not exist is no error. So a dissector that is tested in CI, in a container or
# in any other place where one is root is not there, and its protocol is "Data". What lies in the folder that `tshark -G
# folders` calls Global Lua Plugins is loaded for root, too; and so is the file for a user who only has the capability to
# read what root may (setpriv --reuid ... --ambient-caps +dac_override), as the decision is by id.
#
# Source: epan/wslua/init_wslua.c of Wireshark 4.4 (run_user_scripts_when_superuser, which was set by the init.lua that
# releases up to 4.2 installed; 4.4 installs none); the release notes do not say it.
#
# Seen: "root, -X lua_script: not loaded", "root, Global Lua Plugins: loaded", "nobody, -X lua_script: loaded".
# Fails when any of these changes. Run as root; needs debootstrap and some minutes, as the release is unpacked into a
# temporary folder; DEBIAN_MIRROR names another mirror.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/trixie
debootstrap --variant=minbase --include=tshark trixie "$root" "${DEBIAN_MIRROR-http://deb.debian.org/debian}" >"$work/log" 2>&1 ||
	{ tail "$work/log" && exit 1; }
chmod 755 "$work"
chroot "$root" dpkg-query -W tshark
echo 'print("THE SCRIPT RUNS")' >"$root/srv/hello.lua"
# A capture without a packet: file header of pcap, Ethernet.
printf '\xd4\xc3\xb2\xa1\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x01\x00\x00\x00' >"$root/srv/empty.pcap"

# outcome WHO COMMAND...: whether the script ran; the command itself has to succeed.
outcome() {
	local who=$1 said
	shift
	said=$(chroot "$root" env HOME=/nonexistent "$@" -r /srv/empty.pcap 2>/dev/null)
	if [[ $said == *"THE SCRIPT RUNS"* ]]; then echo "$who: loaded"; else echo "$who: not loaded"; fi
}

{
	outcome "root, -X lua_script" tshark -X lua_script:/srv/hello.lua
	outcome "nobody, -X lua_script" setpriv --reuid 65534 --regid 65534 --clear-groups tshark -X lua_script:/srv/hello.lua
	global=$(chroot "$root" env HOME=/nonexistent tshark -G folders 2>/dev/null | sed -n 's/^Global Lua Plugins:[[:space:]]*//p')
	install -D -m 644 "$root/srv/hello.lua" "$root$global/hello.lua"
	outcome "root, Global Lua Plugins" tshark
} | tee "$work/seen"

diff "$work/seen" - <<-'EXPECTED'
	root, -X lua_script: not loaded
	nobody, -X lua_script: loaded
	root, Global Lua Plugins: loaded
EXPECTED
