//! The shared files `~/.aws/credentials` and `~/.aws/config`.

use std::collections::BTreeMap;

/// Is what both files say of one profile; what `credentials` says comes first.
#[derive(Debug, Default)]
pub(super) struct Profile(BTreeMap<String, String>);

impl Profile {
    pub(super) fn read(name: &str, credentials: &str, config: &str) -> Self {
        let mut profile = Self::default();
        let in_config = if name == "default" { name.to_owned() } else { format!("profile {name}") };
        profile.add(name, credentials);
        profile.add(&in_config, config);
        profile
    }

    pub(super) fn get(&self, key: &str) -> Option<String> {
        self.0.get(key).filter(|value| !value.is_empty()).cloned()
    }

    fn add(&mut self, section: &str, text: &str) {
        let mut is_inside = false;
        // What is indented belongs to the key above it and is none of ours.
        for line in text.lines().filter(|line| !line.starts_with([' ', '\t', '#', ';'])) {
            if let Some(rest) = line.strip_prefix('[') {
                let words = rest.split(']').next().unwrap_or_default().split_whitespace();
                is_inside = words.eq(section.split_whitespace());
            } else if let Some((key, value)) = line.split_once('=').filter(|_| is_inside) {
                self.0.entry(key.trim().to_ascii_lowercase()).or_insert_with(|| value.trim().to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_read_from_both_files() {
        let credentials = "# keys\n[default]\naws_access_key_id = A\n\n[ dev ]\nAWS_ACCESS_KEY_ID=B\nregion = r-1\n";
        let config =
            "[profile dev]\nregion = r-2\ns3 =\n  endpoint_url = http://nested\noutput = json\n[default]\nregion=r-3\n";
        let dev = Profile::read("dev", credentials, config);
        let get = |key: &str| dev.get(key);
        assert_eq!(get("aws_access_key_id").as_deref(), Some("B"));
        assert_eq!(get("region").as_deref(), Some("r-1"));
        assert_eq!(get("output").as_deref(), Some("json"));
        assert_eq!((get("endpoint_url"), get("s3")), (None, None));
        assert_eq!(Profile::read("default", credentials, config).get("region").as_deref(), Some("r-3"));
        assert_eq!(Profile::read("other", credentials, config).get("region"), None);
    }
}
