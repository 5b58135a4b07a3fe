//! Reports as Surefire 3.5 writes them, and as it never should.

use super::*;

fn read(xml: &str) -> TestReport {
    read_reports([("target/surefire-reports/TEST-a.xml".to_owned(), xml.as_bytes())])
}

const CART: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" version="3.0.2" name="com.x.CartTest" time="0.137" tests="99" errors="0" skipped="0" failures="0">
  <properties>
    <property name="java.class.path" value="/x&amp;y"/>
  </properties>
  <testcase name="adds" classname="com.x.CartTest" time="0.009">
    <failure message="sum &lt;of&gt; &quot;two&quot;&#10;second ==&gt; expected: &lt;3&gt; but was: &lt;2&gt;" type="org.opentest4j.AssertionFailedError"><![CDATA[org.opentest4j.AssertionFailedError: 
sum <of> "two"
second ==> expected: <3> but was: <2>
	at org.junit.jupiter.api.Assertions.assertEquals(Assertions.java:563)
	at com.x.CartTest.adds(CartTest.java:8)
	at java.base/java.util.ArrayList.forEach(ArrayList.java:1511)
]]></failure>
    <rerunFailure message="sum" type="org.opentest4j.AssertionFailedError">
      <stackTrace><![CDATA[again]]></stackTrace>
      <system-out><![CDATA[<failure/> is only printed]]></system-out>
    </rerunFailure>
  </testcase>
  <testcase name="boom" classname="com.x.CartTest" time="0.004">
    <error type="java.lang.IllegalStateException">java.lang.IllegalStateException: bell &amp;amp#7; &lt;end&gt; &#x21;	at com.x.CartTest.boom(CartTest.java:11)</error>
    <system-err>x</system-err>
  </testcase>
  <testcase name="even(int)[2]" classname="com.x.CartTest" time="0.006"/>
  <testcase name="flaky" classname="com.x.CartTest" time="0.029">
    <flakyFailure message="first time" type="org.opentest4j.AssertionFailedError"><stackTrace><![CDATA[x]]></stackTrace></flakyFailure>
  </testcase>
  <testcase name="later" classname="com.x.CartTest" time="0.0">
    <skipped message="later"/>
  </testcase>
  <testcase name="nested" classname="com.x.CartTest$Inner" time="0.015"/>
</testsuite>"#;

#[test]
fn cases_are_counted_and_failures_told() {
    let report = read(CART);
    let counts = TestCounts {
        run: 6,
        failed: 1,
        errors: 1,
        skipped: 1,
    };
    assert_eq!(report.counts, counts);
    assert_eq!(report.flaky, 1);
    assert_eq!(report.millis, 137);
    assert_eq!(report.damaged, Vec::<String>::new());
    assert_eq!(
        report.suites,
        [TestSuite {
            name: "com.x.CartTest".to_owned(),
            counts,
            millis: 137
        }]
    );
    assert_eq!(
        report.failures[0],
        TestFailure {
            class: "com.x.CartTest".to_owned(),
            method: "adds".to_owned(),
            kind: "org.opentest4j.AssertionFailedError".to_owned(),
            message: "sum <of> \"two\"\nsecond ==> expected: <3> but was: <2>".to_owned(),
            trace: [
                "org.opentest4j.AssertionFailedError: ",
                "sum <of> \"two\"",
                "second ==> expected: <3> but was: <2>",
                "\tat com.x.CartTest.adds(CartTest.java:8)",
            ]
            .map(str::to_owned)
            .to_vec(),
        }
    );
    // Without a message attribute the first line tells it; characters that XML cannot hold are gone.
    assert_eq!(report.failures[1].message, "bell  <end> !");
    assert_eq!(report.failures[1].trace.len(), 2);
}

#[test]
fn a_failing_set_up_has_a_class_and_no_method() {
    let report = read(
        r#"<testsuite name="S"><testcase name="" classname="com.x.SetupTest" time="0.063"><error message="no database" type="E"/></testcase></testsuite>"#,
    );
    assert_eq!(report.counts.errors, 1);
    assert_eq!(
        (&*report.failures[0].class, &*report.failures[0].method),
        ("com.x.SetupTest", "")
    );
    assert_eq!(report.millis, 63, "the cases' time counts where the suite has none");
}

#[test]
fn thousands_have_commas_in_older_versions() {
    let report =
        read(r#"<testsuite name="S" time="1,234.5"><testcase name="a" classname="S" time="1,200"/></testsuite>"#);
    assert_eq!(report.millis, 1_234_500);
    assert_eq!(millis("nan"), None);
    assert_eq!(millis("-1"), None);
}

#[test]
fn suites_in_suites_are_told_apart() {
    let report = read(
        r#"<testsuites><testsuite name="B" time="1"><testcase name="b" classname="B"/></testsuite><testsuite name="A" time="2"><testcase name="a" classname="A"><failure/></testcase></testsuite></testsuites>"#,
    );
    let names: Vec<&str> = report.suites.iter().map(|suite| &*suite.name).collect();
    assert_eq!(names, ["A", "B"]);
    assert_eq!((report.counts.run, report.counts.failed, report.millis), (2, 1, 3000));
}

#[test]
fn a_file_that_breaks_off_keeps_what_it_had() {
    // Behind this point the first case's failure is complete.
    for end in CART.find("</failure>").expect("it is there")..CART.len() - 1 {
        let report = read(&CART[..end]);
        assert!(
            report.counts.run >= 1 && report.counts.failed == 1,
            "cut at {end}: {report:?}"
        );
        assert_eq!(report.damaged.len(), 1, "cut at {end}");
    }
    let inside = read(
        r#"<testsuite name="S"><testcase name="a" classname="S"/><testcase name="dies" classname="S"><system-out><![CDATA[x"#,
    );
    assert_eq!((inside.counts.run, inside.counts.errors), (2, 1));
    assert_eq!(inside.failures[0].method, "dies");
    assert!(
        inside.damaged[0].starts_with("target/surefire-reports/TEST-a.xml: "),
        "{:?}",
        inside.damaged
    );
}

#[test]
fn empty_files_and_other_files_are_named() {
    for xml in [
        "",
        "no xml at all",
        "<html><body/></html>",
        "<testsuite",
        "</testsuite>",
        "\u{feff}",
    ] {
        assert_eq!(read(xml).damaged.len(), 1, "{xml:?}");
    }
}

#[test]
fn an_entity_bomb_stays_a_name() {
    let bomb = r#"<?xml version="1.0"?><!DOCTYPE t [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY x SYSTEM "file:///etc/passwd">]>
<testsuite name="S"><testcase name="&b;" classname="S"><failure message="&b;">&b;&x;</failure></testcase></testsuite>"#;
    let report = read(bomb);
    assert_eq!(report.failures[0].method, "&b;");
    assert_eq!(report.failures[0].message, "&b;");
    assert_eq!(report.failures[0].trace, ["&b;&x;"]);
}

#[test]
fn bytes_that_are_no_text_do_not_end_the_reading() {
    let xml = b"<testsuite name=\"S\"><testcase name=\"a\xff\" classname=\"S\"><failure>\xc3\x28</failure></testcase></testsuite>";
    let report = read_reports([("TEST-S.xml".to_owned(), &xml[..])]);
    assert_eq!(report.failures[0].method, "a\u{fffd}");
    assert_eq!(report.damaged, Vec::<String>::new());
}

/// A reader that makes up a flood, so that it is not in memory itself.
struct Flood(u64);

impl Read for Flood {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (buffer.len() as u64).min(self.0);
        buffer[..count as usize].fill(b'x');
        self.0 -= count;
        Ok(count as usize)
    }
}

#[test]
fn a_flood_of_output_is_passed_by() {
    let head = r#"<testsuite name="S"><testcase name="a" classname="S"><failure>why</failure><system-out><![CDATA["#;
    let tail = r#"]]></system-out></testcase><testcase name="b" classname="S"/></testsuite>"#;
    let file = head.as_bytes().chain(Flood(64 << 20)).chain(tail.as_bytes());
    let report = read_reports([("TEST-S.xml".to_owned(), file)]);
    assert_eq!((report.counts.run, report.counts.failed), (2, 1));
    assert_eq!(report.failures[0].message, "why");
    assert_eq!(report.damaged, Vec::<String>::new());
}

#[test]
fn the_same_class_in_two_modules_is_two_suites_in_any_order() {
    let xml = |name: &str| {
        format!(
            r#"<testsuite name="com.x.A" time="1"><testcase name="{name}" classname="com.x.A"><failure/></testcase></testsuite>"#
        )
    };
    let (one, two) = (xml("one"), xml("two"));
    let files = [
        (
            "web/target/surefire-reports/TEST-com.x.A.xml".to_owned(),
            two.as_bytes(),
        ),
        (
            "core/target/surefire-reports/TEST-com.x.A.xml".to_owned(),
            one.as_bytes(),
        ),
    ];
    let report = read_reports(files.clone());
    assert_eq!(report.suites.len(), 2);
    assert_eq!(report.failures[0].method, "one");
    assert_eq!(report, read_reports(files.into_iter().rev()));
}

#[test]
fn a_directory_is_searched_for_reports_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    for path in [
        "target/surefire-reports/TEST-com.x.CartTest.xml",
        "it/target/failsafe-reports/TEST-com.x.CartIT.xml",
        "target/surefire-reports/com.x.CartTest.txt",
        "src/test/resources/TEST-no.xml",
    ] {
        let file = directory.path().join(path);
        fs::create_dir_all(file.parent().expect("a parent")).expect("made");
        fs::write(file, CART).expect("written");
    }
    let report = read_directory(directory.path()).expect("readable");
    assert_eq!((report.suites.len(), report.counts.run), (2, 12));
    assert_eq!(report.damaged, Vec::<String>::new());
}

proptest::proptest! {
    #[test]
    fn no_file_makes_it_panic(pieces in proptest::collection::vec("<testsuite>|<testsuites>|<testcase name=\"a\">|<failure message=\"m\">|<error/>|<skipped/>|</testcase>|</testsuite>|</failure>|<!\\[CDATA\\[|\\]\\]>|&x;|&#27;|&|<!DOCTYPE|<!--|-->|\\PC{0,5}", 0..40)) {
        let xml = pieces.concat();
        let report = read(&xml);
        proptest::prop_assert!(report.counts.run >= report.counts.failed + report.counts.errors + report.counts.skipped);
    }
}
