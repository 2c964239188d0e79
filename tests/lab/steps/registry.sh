# The private registry, and the images in it.

step_registry() {
    case $(container_state registry) in
        running) refuse_foreign container "$prefix-registry"; say "the registry runs" ;;
        '') create_registry; changed "started the registry" ;;
        *)
            refuse_foreign container "$prefix-registry"
            docker start "$prefix-registry" >/dev/null
            changed "started the registry again"
            ;;
    esac
    write_registry_login
    for _ in $(seq 100); do
        registry_get '' >/dev/null 2>&1 && return
        sleep 0.1
    done
    docker logs --tail 5 "$prefix-registry" >&2
    die "the registry does not answer at $registry_published"
}

create_registry() {
    local flags; flags=$(cgroup_flags)
    make_password_file
    make_volume registry
    docker create ${flags:+"$flags"} --name "$prefix-registry" --hostname "${registry_name%%.*}" \
        --label "$label=1" --network "$network" --ip "$registry_address" \
        --publish "$registry_published:5000" --restart unless-stopped \
        --volume "$prefix-registry:/var/lib/registry" "$images/registry" >/dev/null
    # Copied, not mounted: the engine need not see this directory, and another checkout can
    # read the certificate back.
    tar -C "$state/registry" --owner=0 --group=0 -c ca.crt registry.crt registry.key htpasswd |
        docker cp -q - "$prefix-registry:/etc/registry"
    docker start "$prefix-registry" >/dev/null
}

# The registry takes bcrypt alone. Perl and libcrypt are in every Debian image, so nothing
# need be installed here for it.
make_password_file() {
    printf '%s' "$registry_password" |
        docker run --rm -i --label "$label=1" --network none "$images/base" perl -e '
            my @letters = ("a".."z", "A".."Z", 0..9);
            my $salt = join "", map { $letters[rand @letters] } 1..21;
            my $hash = crypt(<STDIN>, "\$2b\$05\$${salt}e");
            $hash =~ s/^\$2b/\$2y/;
            print "$ARGV[0]:$hash\n"' "$registry_user" >"$state/registry/htpasswd"
}

# Passwords go through files of ours: neither argv nor the user's own ~/.docker sees them.
write_registry_login() {
    (umask 077
        printf 'machine %s login %s password %s\n' "${registry_published%:*}" \
            "$registry_user" "$registry_password" >"$state/netrc")
}

registry_get() {
    curl --silent --show-error --fail --max-time 5 --netrc-file "$state/netrc" --noproxy '*' \
        --cacert "$state/ca.crt" "${@:2}" "https://$registry_published/v2/$1"
}

step_push() {
    write_registry_login
    local entry name target pushed=()
    # A config directory of our own keeps this login out of ~/.docker; the context the user
    # chose there has to be carried over by hand.
    if [ -z "${DOCKER_HOST:-}" ]; then
        DOCKER_HOST=$(docker context inspect --format '{{.Endpoints.docker.Host}}')
        export DOCKER_HOST
    fi
    for entry in "${published_images[@]}"; do
        read -r name target <<<"$entry"
        is_pushed "$name" "$target" && continue
        if [ "${#pushed[@]}" = 0 ]; then
            printf '%s' "$registry_password" | docker --config "$state/docker" login \
                --username "$registry_user" --password-stdin "$registry_published" >/dev/null 2>&1 ||
                die "docker login $registry_published was refused"
        fi
        docker tag "$images/$name" "$registry_published/$target"
        docker --config "$state/docker" push --quiet "$registry_published/$target" >/dev/null
        docker image rm "$registry_published/$target" >/dev/null
        pushed+=("$target")
    done
    if [ "${#pushed[@]}" = 0 ]; then
        say "the registry has all images"
    else
        changed "pushed ${pushed[*]}"
    fi
}

# The manifest names the image by its configuration's digest, or is itself the image's
# name where the engine keeps images in containerd's store.
is_pushed() {
    local id answer
    id=$(docker image inspect --format '{{.Id}}' "$images/$1")
    answer=$(registry_get "${2%:*}/manifests/${2#*:}" --include \
        --header 'Accept: application/vnd.docker.distribution.manifest.v2+json' \
        --header 'Accept: application/vnd.oci.image.manifest.v1+json' 2>/dev/null) || return 1
    [[ $answer == *"$id"* ]]
}
