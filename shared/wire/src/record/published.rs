//! What was published of a state machine: versions, and the aliases that choose among them.

use model::{JsonText, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::writer::{self, Object};
use super::{DefinitionHash, RecordError, StateMachineRecord, reader};

/// Is all that was published of a state machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedRecord {
    /// When that state machine was created: one of the same name that was created later has nothing to do with it.
    pub machine_created_at: Timestamp,
    /// The greatest number that was given to a version, 0 at first; none is given twice.
    pub last_version: u32,
    /// The versions, in order of their numbers.
    pub versions: Vec<VersionRecord>,
    /// The aliases, in the order of their creation.
    pub aliases: Vec<AliasRecord>,
}

/// Is a version: a state machine as it was when it was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRecord {
    /// Its number, from 1.
    pub number: u32,
    /// Its description, if one was given.
    pub description: Option<String>,
    /// When it was published.
    pub created_at: Timestamp,
    /// The hash of the definition.
    pub hash: DefinitionHash,
    /// The role.
    pub role_arn: String,
    /// The revision that it is of; none for what the state machine was created with.
    pub revision_id: Option<String>,
    /// When that revision was made, if it was by an update.
    pub updated_at: Option<Timestamp>,
    /// The loggingConfiguration as given, if it was.
    pub logging: Option<JsonText>,
    /// The tracingConfiguration as given, if it was.
    pub tracing: Option<JsonText>,
    /// The encryptionConfiguration as given, if it was.
    pub encryption: Option<JsonText>,
}

/// Is an alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasRecord {
    /// Its name.
    pub name: String,
    /// Its description, if one was given.
    pub description: Option<String>,
    /// The one or two versions that it stands for.
    pub routes: Vec<RouteRecord>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last updated, or else created.
    pub updated_at: Timestamp,
}

/// Says how often an alias chooses a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct RouteRecord {
    /// The version.
    pub version: u32,
    /// Of a hundred executions, about so many.
    pub weight: u8,
}

impl PublishedRecord {
    /// Makes the record of a state machine of which nothing was published yet.
    pub fn of(machine: &StateMachineRecord) -> Self {
        let machine_created_at = machine.created_at;
        Self { machine_created_at, last_version: 0, versions: Vec::new(), aliases: Vec::new() }
    }

    /// Gives a version by its number.
    pub fn version(&self, number: u32) -> Option<&VersionRecord> {
        self.versions.iter().find(|version| version.number == number)
    }

    /// Gives the version of a revision; none is what the state machine was created with.
    pub fn version_of(&self, revision_id: Option<&str>) -> Option<&VersionRecord> {
        self.versions.iter().find(|version| version.revision_id.as_deref() == revision_id)
    }

    /// Gives an alias by its name.
    pub fn alias(&self, name: &str) -> Option<&AliasRecord> {
        self.aliases.iter().find(|alias| alias.name == name)
    }

    /// Renders the record.
    pub fn encode(&self) -> Vec<u8> {
        writer::record(|object, _| {
            object.time("machine_created_at", self.machine_created_at);
            object.count("last_version", self.last_version);
            object.list("versions", self.versions.iter(), |out, version| version.write(Object::open(out)));
            object.list("aliases", self.aliases.iter(), |out, alias| alias.write(Object::open(out)));
        })
    }

    /// Reads a record.
    ///
    /// # Errors
    /// `RecordError`, which names a later version as such.
    pub fn decode(text: &[u8]) -> Result<Self, RecordError> {
        let text: PublishedText<'_> = reader::record("published record", text)?;
        Ok(Self {
            machine_created_at: Timestamp::from_millis(text.machine_created_at),
            last_version: text.last_version,
            versions: text.versions.into_iter().map(VersionText::read).collect(),
            aliases: text.aliases.into_iter().map(AliasText::read).collect(),
        })
    }
}

impl VersionRecord {
    /// Publishes a state machine as it is.
    pub fn of(machine: &StateMachineRecord, number: u32, description: Option<String>, at: Timestamp) -> Self {
        Self {
            number,
            description,
            created_at: at,
            hash: machine.hash.clone(),
            role_arn: machine.role_arn.clone(),
            revision_id: machine.revision_id.clone(),
            updated_at: machine.updated_at,
            logging: machine.logging.clone(),
            tracing: machine.tracing.clone(),
            encryption: machine.encryption.clone(),
        }
    }

    /// Gives the state machine as this version has it, but for the definition's text: the caller puts in what is kept under its hash.
    pub fn machine(&self, now: &StateMachineRecord) -> StateMachineRecord {
        StateMachineRecord {
            definition: "".into(),
            hash: self.hash.clone(),
            role_arn: self.role_arn.clone(),
            revision_id: self.revision_id.clone(),
            updated_at: self.updated_at,
            logging: self.logging.clone(),
            tracing: self.tracing.clone(),
            encryption: self.encryption.clone(),
            ..now.clone()
        }
    }

    fn write(&self, mut object: Object<'_>) {
        object.value("number", &self.number);
        object.optional("description", self.description.as_deref());
        object.time("created_at", self.created_at);
        object.value("definition", &*self.hash.0);
        object.value("role_arn", &self.role_arn);
        object.optional("revision_id", self.revision_id.as_deref());
        object.optional_time("updated_at", self.updated_at);
        object.raw("logging", self.logging.as_ref());
        object.raw("tracing", self.tracing.as_ref());
        object.raw("encryption", self.encryption.as_ref());
        object.close();
    }
}

impl AliasRecord {
    fn write(&self, mut object: Object<'_>) {
        object.value("name", &self.name);
        object.optional("description", self.description.as_deref());
        object.list("routes", self.routes.iter(), |out, route| {
            let mut object = Object::open(out);
            object.value("version", &route.version);
            object.value("weight", &route.weight);
            object.close();
        });
        object.time("created_at", self.created_at);
        object.time("updated_at", self.updated_at);
        object.close();
    }
}

#[derive(Deserialize)]
struct PublishedText<'a> {
    machine_created_at: i64,
    #[serde(default)]
    last_version: u32,
    #[serde(borrow, default)]
    versions: Vec<VersionText<'a>>,
    #[serde(default)]
    aliases: Vec<AliasText>,
}

#[derive(Deserialize)]
struct VersionText<'a> {
    number: u32,
    description: Option<String>,
    created_at: i64,
    definition: String,
    role_arn: String,
    revision_id: Option<String>,
    updated_at: Option<i64>,
    #[serde(borrow)]
    logging: Option<&'a RawValue>,
    #[serde(borrow)]
    tracing: Option<&'a RawValue>,
    #[serde(borrow)]
    encryption: Option<&'a RawValue>,
}

impl VersionText<'_> {
    fn read(self) -> VersionRecord {
        VersionRecord {
            number: self.number,
            description: self.description,
            created_at: Timestamp::from_millis(self.created_at),
            hash: DefinitionHash(self.definition.into()),
            role_arn: self.role_arn,
            revision_id: self.revision_id,
            updated_at: self.updated_at.map(Timestamp::from_millis),
            logging: self.logging.map(JsonText::from_raw),
            tracing: self.tracing.map(JsonText::from_raw),
            encryption: self.encryption.map(JsonText::from_raw),
        }
    }
}

#[derive(Deserialize)]
struct AliasText {
    name: String,
    description: Option<String>,
    routes: Vec<RouteRecord>,
    created_at: i64,
    updated_at: i64,
}

impl AliasText {
    fn read(self) -> AliasRecord {
        AliasRecord {
            name: self.name,
            description: self.description,
            routes: self.routes,
            created_at: Timestamp::from_millis(self.created_at),
            updated_at: Timestamp::from_millis(self.updated_at),
        }
    }
}
