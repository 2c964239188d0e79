# Builds the images that are missing or whose sources changed, side by side.
#
# Each image carries the hash of everything it was made from, so a second run costs one
# look at the engine. `base` comes from Debian's packages with mmdebstrap; the others are
# Dockerfiles on top of it, or on scratch with what they need copied from it.

# step_images [NAME]...: only these, if any are named.
step_images() {
    local named=" $* "
    mkdir -p "$state/log"
    local cgroup; cgroup=$(cgroup_flags)
    build_flags=(${cgroup:+"$cgroup"})

    read_debian_sources
    hash_base=$(fingerprint "$debian_sources" "$lab_dir/images/base")
    local wanted=(
        "base $hash_base"
        "host $(fingerprint "$hash_base" "$sudo_password" "$lab_dir/images/host")"
        "redis $(fingerprint "$hash_base" "$lab_dir/images/redis" "$lab_dir/images/shared")"
        "mysql $(fingerprint "$hash_base" "$lab_dir/images/mysql" "$lab_dir/images/shared")"
        "registry $(fingerprint "$hash_base" "$lab_dir/images/registry" "$lab_dir/images/shared")"
    )
    hash_todo=$(fingerprint "$lab_dir/images/todo" "$lab_dir/todo/Cargo.toml" \
        "$lab_dir/todo/Cargo.lock" "$lab_dir/todo/src")
    wanted+=("todo-v2 $hash_todo" "todo-v3 $hash_todo")

    local have stale=() entry
    have=$(docker image ls --filter "label=$image_label=1" --format '{{.Repository}} {{.Tag}}')
    for entry in "${wanted[@]}"; do
        read -r name hash <<<"$entry"
        [[ $named = "  " || $named = *" $name "* ]] || continue
        grep -qx "$images/$name $hash" <<<"$have" || stale+=("$name")
    done
    if [ "${#stale[@]}" = 0 ]; then
        say "all images are up to date"
        return
    fi
    declare -gA image_hash
    for entry in "${wanted[@]}"; do image_hash[${entry% *}]=${entry#* }; done
    build_stale
    changed "built ${stale[*]}"
}

# The todo executable compiles while the base is made: neither waits for the other.
build_stale() {
    local jobs=() failed=0 job name
    if is_stale todo-v2 || is_stale todo-v3; then
        in_background todo build_todo
    fi
    if is_stale base; then
        command -v mmdebstrap >/dev/null || apt_install mmdebstrap debian-archive-keyring
        timed base as_root "$lab_dir/images/base/build" "$images/base" "$hash_base" "$debian_sources"
    fi
    for name in host mysql redis registry; do
        if is_stale "$name"; then in_background "$name" build_from_dockerfile "$name"; fi
    done
    for job in "${jobs[@]}"; do wait "$job" || failed=1; done
    [ "$failed" = 0 ] || die "an image could not be built, see .lab/log"
    drop_superseded
}

# What a running container still uses stays.
drop_superseded() {
    local repository tag
    docker image ls --filter "label=$image_label=1" --format '{{.Repository}} {{.Tag}}' |
        while read -r repository tag; do
            [[ $repository == "$images/"* && $tag != latest ]] || continue
            [ "$tag" = "${image_hash[${repository#"$images/"}]:-$tag}" ] ||
                docker image rm "$repository:$tag" >/dev/null 2>&1 || true
        done
    # The stages of a Dockerfile stay behind without a name, half a gigabyte each.
    docker image prune --force --filter "label=$image_label=1" >/dev/null
}

is_stale() { [[ " ${stale[*]} " == *" $1 "* ]]; }

in_background() {
    timed "$@" &
    jobs+=($!)
}

timed() {
    local name=$1 log=$state/log/image-$1.log begun=$SECONDS code; shift
    say "building $name ..."
    # Not `if (...)`: inside a condition bash would ignore every failure but the last.
    set +e
    (set -e; "$@") >"$log" 2>&1
    code=$?
    set -e
    if [ "$code" != 0 ]; then
        tail -n 15 "$log" >&2
        say "building $name failed after $((SECONDS - begun)) s"
        return 1
    fi
    say "built $name in $((SECONDS - begun)) s"
}

# The tag is the hash; `latest` is for people.
build_from_dockerfile() {
    local name=$1
    shift
    docker build "${build_flags[@]}" "$@" --force-rm \
        --label "$image_label=1" --tag "$images/$name:${image_hash[$name]}" --tag "$images/$name:latest" \
        --build-arg "BASE=$images/base:$hash_base" --build-arg "SUDO_PASSWORD=$sudo_password" \
        --file "$lab_dir/images/$name/Dockerfile" "$lab_dir/images"
}

# The mirror this machine's apt already uses for Debian, whatever it is; Debian's own otherwise.
read_debian_sources() {
    local mirror security
    mirror=$(apt_site Debian)
    if [ -z "$mirror" ] && grep -qx 'ID=debian' /etc/os-release 2>/dev/null; then
        # apt cannot say whose archive a mirror holds before it has read its lists.
        as_root apt-get update >"$state/log/apt.log" 2>&1 || true
        mirror=$(apt_site Debian)
    fi
    security=$(apt_site Debian-Security)
    mirror=${mirror:-http://deb.debian.org/debian}
    security=${security:-http://deb.debian.org/debian-security}
    debian_sources="deb $mirror bookworm main
deb $mirror bookworm-updates main
deb $security bookworm-security main"
}

apt_site() {
    command -v apt-get >/dev/null || return 0
    apt-get indextargets --format '$(LABEL) $(ORIGIN) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk -v label="$1" '$1 == label && $2 == "Debian" { sub("/$", "", $3); print $3; exit }'
}

# One static executable under two tags, so that an update has something to update to.
build_todo() {
    local context; context=$(mktemp -d)
    trap "rm -rf '$context'" EXIT
    build_todo_executable "$context/todo"
    for version in v2 v3; do
        docker build "${build_flags[@]}" --force-rm --label "$image_label=1" \
            --tag "$images/todo-$version:$hash_todo" --tag "$images/todo-$version:latest" \
            --build-arg "VERSION=$version" --file "$lab_dir/images/todo/Dockerfile" "$context"
    done
}

build_todo_executable() {
    local target; target=$(rustc -vV | sed -n 's/^host: //p')
    (
        cd "$lab_dir/todo"
        # An image from scratch has no libc to load.
        RUSTFLAGS='-C target-feature=+crt-static' \
            cargo build --release --locked --target "$target" --target-dir "$state/target"
    )
    cp "$state/target/$target/release/todo" "$1"
}

# Arguments that are paths count with their contents, all others as they are.
fingerprint() {
    local part
    for part in "$@"; do
        if [ -e "$part" ]; then
            (cd "$(dirname "$part")" && find "$(basename "$part")" -type f -print0 |
                LC_ALL=C sort -z | xargs -0 sha256sum)
        else
            printf '%s\n' "$part"
        fi
    done | sha256sum | cut -c1-16
}
