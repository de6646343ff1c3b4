//! The `routingConfiguration` of aliases.

use model::{Qualifier, StateMachineArn};
use wire::record::RouteRecord;

use super::arn::qualified_arn;
use super::checks::{Checks, ELEMENTS_MAX};
use super::error::{ApiError, ErrorCode};
use super::members::Members;

/// Is a list of versions with their weights, as it was given.
#[derive(Default)]
pub(super) struct Routing(Vec<(String, i64)>);

impl Routing {
    pub(super) fn read(members: &mut Members, checks: &mut Checks) -> Result<Option<Self>, ApiError> {
        let Some(given) = members.structures("routingConfiguration")? else { return Ok(None) };
        let (count, mut items) = (given.len(), Vec::new());
        for (index, mut item) in given.into_iter().take(ELEMENTS_MAX).enumerate() {
            let (arn, weight) = (item.text("stateMachineVersionArn")?, item.integer("weight")?);
            let field = |name: &str| format!("routingConfiguration.{}.member.{name}", index + 1);
            checks.required(&field("stateMachineVersionArn"), arn.as_ref());
            checks.length(&field("stateMachineVersionArn"), arn.as_deref(), 1, 256);
            checks.required(&field("weight"), weight.as_ref());
            checks.range(&field("weight"), weight, 0, 100);
            items.push((arn.unwrap_or_default(), weight.unwrap_or_default()));
        }
        let routing = Self(items);
        checks.elements("routingConfiguration", &routing.shown(), count, 1, 2);
        Ok(Some(routing))
    }

    /// Checks what the model's constraints don't tell; gives the state machine and the versions of it. The model's have been checked.
    pub(super) fn check(self) -> Result<(StateMachineArn, Vec<RouteRecord>), ApiError> {
        let invalid = |what: &str, received: String| {
            let message = format!("{what} Received: [{received}]");
            Err(ApiError::new(ErrorCode::ValidationException, message))
        };
        let arns = || self.0.iter().map(|(arn, _)| arn.as_str()).collect::<Vec<_>>().join(", ");
        if let [(one, _), (other, _)] = self.0.as_slice()
            && one == other
        {
            return invalid("Routing configuration must contain distinct state machine version ARNs.", arns());
        }
        let mut of = None;
        let mut routes = Vec::new();
        for (text, weight) in &self.0 {
            let arn = qualified_arn(text)?;
            let Some(Qualifier::Version(version)) = arn.qualifier else {
                return invalid("Routing configuration must contain state machine version ARNs.", arns());
            };
            if *of.get_or_insert_with(|| arn.machine.clone()) != arn.machine {
                return invalid("Routing configuration must contain versions of one state machine.", arns());
            }
            routes.push(RouteRecord { version, weight: u8::try_from(*weight).expect("is at most 100") });
        }
        if self.0.iter().map(|(_, weight)| weight).sum::<i64>() != 100 {
            let weights: Vec<String> = self.0.iter().map(|(_, weight)| weight.to_string()).collect();
            return invalid("Sum of routing configuration weights must equal 100.", weights.join(", "));
        }
        Ok((of.expect("there is one item at least"), routes))
    }

    /// Renders the list as AWS's messages do.
    fn shown(&self) -> String {
        let item = |(arn, weight): &(String, i64)| {
            format!("RoutingConfigurationListItem(stateMachineVersionArn={arn}, weight={weight})")
        };
        format!("[{}]", self.0.iter().map(item).collect::<Vec<_>>().join(", "))
    }
}
