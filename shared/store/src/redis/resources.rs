//! Resources, the lists that they and executions stand in, and the queues of activities.

use model::{ActivityArn, ExecutionArn, ExecutionStatus, Revision, Timestamp};

use super::read::{self, Bytes};
use super::script::{ACTIVITY, RESOURCE};
use super::{RedisStore, SCAN, command};
use crate::resource::{ActivityTask, ExecutionQuery, Resource, ResourceKey, ResourceQuery, removed_meanwhile};
use crate::store::Error;
use crate::text;

/// The fields of a resource: revision, record, hashes of the definitions.
const FIELDS: [&str; 3] = ["v", "d", "h"];
/// How often a creation is tried while others create and delete the same name.
const TRIES_MAX: usize = 8;

impl RedisStore {
    pub(super) async fn create_resource_once(
        &self,
        key: &ResourceKey,
        resource: &Resource,
    ) -> Result<Option<Resource>, Error> {
        for _ in 0..TRIES_MAX {
            if self.write_resource(key, "", Some(resource)).await? {
                return Ok(None);
            }
            if let Some(existing) = self.read_resource(key).await? {
                // Who created it may not have seen it replicated.
                self.replicated(self.keys.of_arn(&key.arn)).await?;
                return Ok(Some(existing));
            }
        }
        Err(Error::Unavailable(format!("{} is created and deleted all the time", key.arn)))
    }

    pub(super) async fn read_resource(&self, key: &ResourceKey) -> Result<Option<Resource>, Error> {
        let mut cmd = command("HMGET", &self.keys.resource(key));
        cmd.arg(&FIELDS);
        resource(self.link.run(&cmd).await?)
    }

    pub(super) async fn replace_resource_at(
        &self,
        key: &ResourceKey,
        seen: Revision,
        next: Option<&Resource>,
    ) -> Result<bool, Error> {
        self.write_resource(key, &seen.to_string(), next).await
    }

    async fn write_resource(&self, key: &ResourceKey, seen: &str, next: Option<&Resource>) -> Result<bool, Error> {
        let name = self.keys.resource(key);
        let partition = key.partition(self.keys.partition_count());
        let prefix = self.partition(partition)?;
        let mut cmd = RESOURCE.call(4);
        cmd.arg(&name).arg(self.list(partition, self.keys.resources(partition, key.kind, key.place()))?);
        cmd.arg(format!("{prefix}uses")).arg(format!("{prefix}unused")).arg(seen);
        cmd.arg(next.map_or_else(String::new, |next| next.revision.to_string()))
            .arg(&*key.arn)
            .arg(next.map_or(&[][..], |next| &next.record))
            .arg(next.map_or_else(String::new, |next| text::definitions(&next.definitions)));
        let answer: u32 = self.link.script(&RESOURCE, &name, &cmd).await?;
        match answer {
            0 => return Ok(false),
            2 => return Err(removed_meanwhile(key)),
            _ => {}
        }
        self.replicated(prefix).await?;
        Ok(true)
    }

    pub(super) async fn list_resources_of(
        &self,
        partition: u32,
        query: &ResourceQuery,
    ) -> Result<Vec<(ResourceKey, Resource)>, Error> {
        let list = self.list(partition, self.keys.resources(partition, query.kind, &query.place))?;
        let mut cmd = command("ZRANGE", &list);
        cmd.arg(query.after.as_ref().map_or_else(|| "-".to_owned(), |after| format!("({after}")));
        cmd.arg("+").arg("BYLEX").arg("LIMIT").arg(0).arg(query.limit);
        let arns: Vec<String> = self.link.run(&cmd).await?;
        let mut found = Vec::with_capacity(arns.len());
        for batch in arns.chunks(SCAN) {
            let keys: Vec<ResourceKey> =
                batch.iter().map(|arn| ResourceKey { kind: query.kind, arn: arn.as_str().into() }).collect();
            let mut read = redis::pipe();
            for key in &keys {
                read.cmd("HMGET").arg(self.keys.resource(key)).arg(&FIELDS);
            }
            let answers: Vec<Vec<Bytes>> = self.link.pipeline(&read).await?;
            for (key, fields) in keys.into_iter().zip(answers) {
                found.extend(resource(fields)?.map(|resource| (key, resource)));
            }
        }
        Ok(found)
    }

    pub(super) async fn list_executions_of(
        &self,
        partition: u32,
        query: &ExecutionQuery,
    ) -> Result<Vec<(Timestamp, ExecutionArn)>, Error> {
        let list = self.list(partition, self.keys.executions(partition, &query.listed_under, query.status))?;
        let after = query.after.as_ref().map(|(at, arn)| (*at, arn.as_str()));
        let places = self.newest(&list, after, query.limit).await?;
        places.into_iter().map(|(at, arn)| Ok((at, text::execution(&arn)?))).collect()
    }

    pub(super) async fn count_executions_of(
        &self,
        partition: u32,
        listed_under: &str,
        status: ExecutionStatus,
    ) -> Result<u64, Error> {
        let list = self.list(partition, self.keys.executions(partition, listed_under, Some(status)))?;
        self.link.run(&command("ZCARD", &list)).await
    }

    pub(super) async fn offer_task(&self, task: &ActivityTask) -> Result<(), Error> {
        let queue = self.keys.activity_tasks(&task.activity);
        let mut cmd = ACTIVITY.call(1);
        cmd.arg(&queue).arg("offer").arg(text::activity_task(task));
        self.link.script::<()>(&ACTIVITY, &queue, &cmd).await?;
        self.replicated(self.keys.of_arn(task.activity.as_str())).await
    }

    pub(super) async fn claim_task(&self, activity: &ActivityArn, millis: u32) -> Result<Option<ActivityTask>, Error> {
        let queue = self.keys.activity_tasks(activity);
        let mut cmd = ACTIVITY.call(1);
        cmd.arg(&queue).arg("claim").arg(millis);
        let task: Option<String> = self.link.script(&ACTIVITY, &queue, &cmd).await?;
        task.map(|task| text::parse_activity_task(activity, &task)).transpose()
    }

    pub(super) async fn return_task(&self, task: &ActivityTask) -> Result<(), Error> {
        let queue = self.keys.activity_tasks(&task.activity);
        let mut cmd = ACTIVITY.call(1);
        cmd.arg(&queue).arg("return").arg(text::activity_task(task));
        self.link.script(&ACTIVITY, &queue, &cmd).await
    }

    pub(super) async fn drop_task(&self, task: &ActivityTask) -> Result<(), Error> {
        let mut cmd = command("ZREM", &self.keys.activity_tasks(&task.activity));
        cmd.arg(text::activity_task(task));
        self.link.run(&cmd).await
    }

    /// Reads members of a sorted set that come after a place, from the greatest score down, and among equals from the last name.
    async fn newest(
        &self,
        key: &str,
        after: Option<(Timestamp, &str)>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, String)>, Error> {
        let mut found = Vec::new();
        let mut offset = 0;
        while found.len() < limit {
            // Those of the same millisecond as the place may come before it, and are passed over.
            let wanted = limit - found.len() + usize::from(after.is_some() && offset == 0);
            let from = after.map(|(at, _)| at.as_millis().to_string());
            let mut cmd = command("ZRANGE", key);
            cmd.arg(from.as_deref().unwrap_or("+inf")).arg("-inf").arg("BYSCORE").arg("REV");
            cmd.arg("LIMIT").arg(offset).arg(wanted).arg("WITHSCORES");
            let page: Vec<(String, f64)> = self.link.run(&cmd).await?;
            let count = page.len();
            for (name, score) in page {
                #[expect(clippy::cast_possible_truncation, reason = "scores are whole milliseconds, below 2^53")]
                let at = Timestamp::from_millis(score as i64);
                if after.is_none_or(|after| (at, name.as_str()) < after) {
                    found.push((at, name));
                }
            }
            offset += count;
            if count < wanted {
                break;
            }
        }
        Ok(found)
    }

    fn list(&self, partition: u32, key: Option<String>) -> Result<String, Error> {
        key.ok_or_else(|| Error::Unfit(format!("there is no partition {partition}")))
    }
}

fn resource(fields: Vec<Bytes>) -> Result<Option<Resource>, Error> {
    let [Some(revision), Some(record), definitions] = fields.as_slice() else { return Ok(None) };
    let definitions = text::parse_definitions(read::utf8(definitions.as_deref().unwrap_or_default())?);
    Ok(Some(Resource { revision: text::id(read::utf8(revision)?)?, record: record.clone(), definitions }))
}
