//! The order in which Java's `HashMap` lists its members, which AWS shows in payloads.

/// How many slots a map has at least.
const SLOTS_MIN: u32 = 16;

/// Sorts members with different names as a `HashMap` lists them into which they were put in the order given.
pub(crate) fn sort<T>(members: &mut [T], name: impl Fn(&T) -> &str) {
    let slots = slots(members.len());
    members.sort_by_key(|member| slot(name(member), slots));
}

/// A map doubles as soon as three quarters of its slots are exceeded.
fn slots(count: usize) -> u32 {
    let mut slots = SLOTS_MIN;
    while count > (slots / 4 * 3) as usize {
        slots *= 2;
    }
    slots
}

fn slot(name: &str, slots: u32) -> u32 {
    let hash = name.encode_utf16().fold(0_u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(unit.into()));
    (hash ^ (hash >> 16)) & (slots - 1)
}

#[cfg(test)]
mod tests {
    fn check(names: &str, expect: &str) {
        let mut names: Vec<&str> = names.split(' ').collect();
        super::sort(&mut names, |name| name);
        assert_eq!(names.join(" "), expect);
    }

    #[test]
    fn names_are_listed_as_java_lists_them() {
        check("encoded decoded", "decoded encoded");
        check("mergedJson parsedJson stringifiedJson", "parsedJson mergedJson stringifiedJson");
        check("StateMachineArn Input Name", "Input StateMachineArn Name");
        check("ApiEndpoint Method Path Stage RequestBody Headers", "Path Headers Stage ApiEndpoint Method RequestBody");
        check("constant_in_literal constant_input_field", "constant_input_field constant_in_literal");
        check("é 😀", "😀 é");
        // What shares a slot stays in order; from the 13th name on there are 32 slots.
        check("BB Aa", "BB Aa");
        check("p a b q", "p a q b");
        check("p a b q c d e f g h i j k", "a b c d e f g h i j k p q");
    }
}
