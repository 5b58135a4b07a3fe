//! Tests of both directions, with the texts that try to break them.

mod divide;
mod labels;
mod render;

use proptest::prelude::*;

/// Text with what hurts: line breaks, quotes, variables, comments, heredocs, directives.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "\n",
        "\r\n",
        "\r",
        "\\",
        "\"",
        "'",
        "$",
        "${PATH}",
        "`id`",
        "#",
        "<<EOF",
        "\nRUN id\n",
        "\" EVIL=\"",
        "\\\n",
        "a b",
        "|",
        ";",
        "&&",
        "# escape=`\n",
        "{{ base }}",
        "{% raw %}",
        "ä",
        "\u{2028}",
        "\0",
        "\t",
        "]",
        "/",
        "..",
        "basket",
    ]);
    prop_oneof![
        prop::collection::vec(pieces, 0..8).prop_map(|parts| parts.concat()),
        any::<String>()
    ]
}
