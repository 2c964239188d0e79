//! Sorting. The standard library's is written out for each type, at 3 kilobytes each of what is sent to hosts; here all
//! types share one.

use std::cmp::Ordering;

/// Sorts `items`; equal ones keep their order.
pub fn sort<T: Ord>(items: &mut [T]) {
    sort_by(items, T::cmp);
}

/// Sorts `items` by `compare`; equal ones keep their order.
pub fn sort_by<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let order = ordered(items.len(), &|a, b| compare(&items[a], &items[b]));
    rearrange(order, &mut |a, b| items.swap(a, b));
}

/// The places of the items in their new order.
#[inline(never)]
fn ordered(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| compare(*a, *b));
    order
}

/// Brings the items into this order, one cycle of moves after the other.
#[inline(never)]
fn rearrange(mut order: Vec<usize>, swap: &mut dyn FnMut(usize, usize)) {
    for start in 0..order.len() {
        let mut at = start;
        while order[at] != start {
            let next = std::mem::replace(&mut order[at], at);
            swap(at, next);
            at = next;
        }
        order[at] = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_as_the_standard_library_does() {
        for seed in 0..200_u64 {
            let mut next = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let items: Vec<(u64, usize)> = (0..seed as usize % 40)
                .map(|at| {
                    next = next.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    ((next >> 60), at)
                })
                .collect();
            let (mut own, mut wanted) = (items.clone(), items);
            sort_by(&mut own, |a, b| a.0.cmp(&b.0));
            wanted.sort_by_key(|item| item.0);
            assert_eq!(own, wanted);
            own.reverse();
            sort(&mut own);
            wanted.sort();
            assert_eq!(own, wanted);
        }
    }
}
