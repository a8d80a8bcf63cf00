#!/bin/bash
# Builds the test guest: a small Debian with systemd, udev and the drivers of USB scanners, from Debian packages only.
#
#   tests/vm/image.sh FOLDER [SUITE]    makes FOLDER/{vmlinuz,initrd,root.img}; SUITE is bookworm or trixie
#
# As root, about a minute. An image made by this very script with these parameters is left as it is.
# MIRROR names a Debian mirror (http://.../debian, with debian-security beside it) where mmdebstrap's own choice for the
# suite is not wanted; ROOT_SIZE the size of the root file system.
set -euo pipefail
out=${1:?the folder to write to}
suite=${2:-bookworm}
MIRROR=${MIRROR:-}
ROOT_SIZE=${ROOT_SIZE:-1500M}
PACKAGES=(systemd systemd-sysv udev libnss-systemd dbus kmod procps login python3 python3-venv qemu-guest-agent)

key=$({ cat "$0"; echo "$suite $MIRROR $ROOT_SIZE"; } | sha256sum | cut -c1-16)
if [ "$(cat "$out/key" 2>/dev/null)" = "$key" ]; then exit 0; fi
say() { echo "image: $*"; }
[ "$(id -u)" -eq 0 ] || { say "needs root (it makes a root file system with device nodes and owners)" >&2; exit 1; }

rm -rf "$out"
mkdir -p "$out"
work=$(mktemp -d "${TMPDIR:-/tmp}/scangate-image.XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir -m 777 "$work/debs"
root=$work/root

make_root() {
    say "Debian $suite (a minute)"
    sources=()
    if [ -n "$MIRROR" ]; then
        security=${MIRROR%/debian}/debian-security
        sources=("deb $MIRROR $suite main" "deb $MIRROR $suite-updates main" "deb $security $suite-security main")
    fi
    # The kernel's package is only unpacked: installing it would build an initrd nobody boots.
    # shellcheck disable=SC2016  # the hook's variables are mmdebstrap's
    DEBS="$work/debs" mmdebstrap --quiet --mode=root --variant=essential \
        --include="$(IFS=,; echo "${PACKAGES[*]}")" \
        --aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt='force-unsafe-io' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
        --customize-hook='cd "$DEBS"; export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
            kernel=$(apt-cache depends linux-image-amd64 | sed -n "s/.*Depends: \(linux-image-[0-9][^ ]*\).*/\1/p" | head -1)
            apt-get -qq -o APT::Sandbox::User=root download "$kernel" busybox-static' \
        "$suite" "$root" "${sources[@]}"
}

# The drivers a guest can use: USB and what hangs on it, input, serial, watchdogs, virtio, the file systems systemd wants.
MODULES=(drivers/usb drivers/hid drivers/input drivers/virtio drivers/block drivers/char drivers/watchdog drivers/tty
    drivers/net/virtio_net.ko drivers/net/net_failover.ko net/core/failover.ko drivers/leds drivers/rtc
    drivers/platform/x86/wmi.ko drivers/dax drivers/nvdimm lib crypto arch fs/ext4 fs/jbd2 fs/mbcache.ko fs/configfs
    fs/autofs fs/overlayfs fs/nls fs/fat)

add_kernel() {
    mkdir "$work/kernel" "$work/busybox"
    dpkg-deb --fsys-tarfile "$work"/debs/linux-image-*.deb | tar -x -C "$work/kernel"
    dpkg-deb --fsys-tarfile "$work"/debs/busybox-static_*.deb | tar -x -C "$work/busybox"
    # Debian 13 has merged /usr inside its packages, Debian 12 has not.
    from=$(find "$work/kernel" -maxdepth 4 -type d -path '*/lib/modules/*' -prune | head -1)
    version=${from##*/}
    to=$root/usr/lib/modules/$version
    mkdir -p "$to/kernel"
    cp "$from"/modules.{builtin,builtin.modinfo,order} "$to/"
    (
        cd "$from/kernel"
        for path in "${MODULES[@]}"; do
            for found in "$path" "$path.xz"; do
                [ ! -e "$found" ] || cp -r --parents "$found" "$to/kernel/"
            done
        done
    )
    depmod -b "$root" "$version" 2>"$work/depmod.log" || { cat "$work/depmod.log" >&2; exit 1; }
    cp "$work"/kernel/boot/vmlinuz-* "$out/vmlinuz"
    say "kernel $version"
}

settle_root() {
    echo scangate-test >"$root/etc/hostname"
    echo 127.0.0.1 localhost scangate-test >"$root/etc/hosts"
    echo '/dev/vda / ext4 defaults,noatime 0 0' >"$root/etc/fstab"
    echo d0a1b2c3d0a1b2c3d0a1b2c3d0a1b2c3 >"$root/etc/machine-id"
    sed -i 's/^root:[^:]*:/root::/' "$root/etc/shadow"
    mkdir -p "$root/etc/systemd/journald.conf.d"
    printf '[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\n' >"$root/etc/systemd/journald.conf.d/test.conf"
    # QEMU's user network, which reaches the host as 10.0.2.2.
    printf '[Match]\nName=en* eth*\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n' \
        >"$root/etc/systemd/network/10-test.network"
    units=$root/etc/systemd/system
    mkdir -p "$units/multi-user.target.wants"
    ln -sf /lib/systemd/system/multi-user.target "$units/default.target"
    ln -sf /lib/systemd/system/systemd-networkd.service "$units/multi-user.target.wants/"
    # What a test guest only waits for. The getty of tty1 is started by the test that wants it.
    for unit in systemd-networkd-wait-online.service fstrim.timer e2scrub_all.timer e2scrub_reap.service apt-daily.timer \
        apt-daily-upgrade.timer dpkg-db-backup.timer systemd-pstore.service sys-kernel-tracing.mount \
        sys-kernel-debug.mount dev-hugepages.mount dev-mqueue.mount systemd-binfmt.service \
        systemd-update-utmp.service logrotate.timer; do
        ln -sf /dev/null "$units/$unit"
    done
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$units/getty.target.wants/getty@tty1.service"
}

# busybox, the modules that reach /dev/vda, and a script that mounts it.
make_initrd() {
    initrd=$work/initrd
    mkdir -p "$initrd"/{bin,dev,proc,sys,root,modules}
    cp "$(find "$work/busybox" -type f -path '*bin/busybox' | head -1)" "$initrd/bin/busybox"
    number=10
    for module in virtio_pci virtio_blk ext4 crc32c_generic; do
        modprobe -d "$root" -S "$version" --show-depends "$module"
    done | awk '$1 == "insmod" && $2 !~ /crc32c-intel/ && !seen[$2]++ {print $2}' | while read -r file; do
        case $file in
        *.xz) xz -dc "$file" >"$initrd/modules/$number-$(basename "$file" .xz)" ;;
        *) cp "$file" "$initrd/modules/$number-$(basename "$file")" ;;
        esac
        number=$((number + 1))
    done
    cat >"$initrd/init" <<'INIT'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t devtmpfs dev /dev
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
for module in /modules/*; do $b insmod "$module"; done
tries=0
while [ ! -b /dev/vda ] && [ $tries -lt 100 ]; do
    $b sleep 0.1
    tries=$((tries + 1))
done
$b mount -t ext4 -o rw,noatime /dev/vda /root || exec $b sh
$b mount --move /dev /root/dev
$b umount /proc /sys
exec $b switch_root /root /sbin/init
INIT
    chmod 755 "$initrd/init"
    (cd "$initrd" && find . | cpio --quiet -o -H newc) >"$out/initrd"
}

make_root
add_kernel
settle_root
make_initrd
mke2fs -q -t ext4 -O ^metadata_csum -E lazy_itable_init=1,lazy_journal_init=1 -m 0 -d "$root" "$out/root.img" "$ROOT_SIZE"
echo "$key" >"$out/key"
say "ready: $out ($(du -m "$out/root.img" | cut -f1) MB)"
