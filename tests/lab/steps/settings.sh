# What the lab is called, where it is reached and what it is made of.
# Every other file reads these names; README.md repeats the ones a person needs.

lab_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
root_dir=$(cd "$lab_dir/../.." && pwd)
state=${LAB_STATE:-$root_dir/.lab}

# Names begin with it. Labs of different names stand side by side, given other addresses, too; they
# share the images.
prefix=${LAB_NAME:-rplay-lab}

# The label is the only thing that makes a container, volume or network ours. Images have
# another one: a container inherits its image's labels, whoever made it.
label=${prefix/-/.}
image_label=rplay.lab.image
images=rplay-lab

# Chosen away from Docker's own pools (172.17-31 and 192.168), which the Docker
# inside the hosts will use for its bridges.
subnet=${LAB_SUBNET:-10.213.77}
# Where this machine reaches them.
loopback=${LAB_LOOPBACK:-127.0.0}
network=$prefix
registry_name=registry.lab
registry_address=$subnet.5
registry_published=$loopback.5:5000
registry_user=lab
registry_password=lab-registry
sudo_password=lab-sudo

# name, address in the network, address on this machine
hosts=(
    "todo-1 $subnet.11 $loopback.11"
    "todo-2 $subnet.12 $loopback.12"
)
# A machine whose own sshd or web server holds these ports on every address
# cannot lend them to the lab.
ssh_port=${LAB_SSH_PORT:-22}
http_port=${LAB_HTTP_PORT:-80}

# local image, name in the registry
published_images=(
    "mysql todo/mysql:8.0.39"
    "redis todo/redis:7.4.0"
    "todo-v2 todo/todo:v2"
    "todo-v3 todo/todo:v3"
)

# A step says `changed: ...` when it did something: the playbooks listen for that.
say() { printf '%s\n' "$*"; }
changed() { printf 'changed: %s\n' "$*"; }
die() { printf 'lab: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo --preserve-env=http_proxy,https_proxy "$@"; fi
}

container_state() {
    docker container inspect --format '{{.State.Status}}' "$prefix-$1" 2>/dev/null || true
}

# Nothing without our label is ever touched, not even when it has our name.
refuse_foreign() {
    local kind=$1 name=$2 path='.Labels'
    [ "$kind" = container ] && path='.Config.Labels'
    [ "$(docker "$kind" inspect --format "{{index $path \"$label\"}}" "$name" 2>/dev/null)" = 1 ] ||
        die "a $kind named $name exists and is not the lab's: rename or remove it yourself"
}

# Made before it is mounted, because one that Docker makes by the way has no label.
make_volume() {
    docker volume create --label "$label=1" "$prefix-$1" >/dev/null
    refuse_foreign volume "$prefix-$1"
}
