//! Intrinsic functions: a line with the call, then the input.

use asl::intrinsic::Intrinsic;
use asl::{Chance, Document, Scope};
use model::JsonText;

pub(crate) fn run(bytes: &[u8]) {
    let Some((call, input)) = crate::line_and_rest(bytes) else { return };
    let Ok(intrinsic) = Intrinsic::parse(call) else { return };
    let input = JsonText::parse(input).unwrap_or_else(|_| JsonText::trusted(r#"{"a":[1,{"b":"c"}],"s":"x,y","n":-3}"#));
    let evaluate = || intrinsic.evaluate(&Given::new(input.clone()));
    assert_eq!(evaluate(), evaluate(), "the same seed gives the same");
}

struct Given {
    input: Document,
    context: Document,
    chance: Chance,
}

impl Given {
    fn new(input: JsonText) -> Self {
        let context =
            JsonText::trusted(r#"{"Execution":{"Name":"run-1","Input":{"n":1.0}},"Map":{"Item":{"Index":2}}}"#);
        Self { input: input.into(), context: context.into(), chance: Chance::new(7) }
    }
}

impl Scope for Given {
    fn input(&self) -> &Document {
        &self.input
    }

    fn context(&self) -> &Document {
        &self.context
    }

    fn variable(&self, name: &str) -> Option<&Document> {
        (name == "var").then_some(&self.input)
    }

    fn chance(&self) -> &Chance {
        &self.chance
    }
}
