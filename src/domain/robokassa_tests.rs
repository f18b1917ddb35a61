use super::*;

fn merchant(hash: Hash, stage: Stage) -> Merchant {
    Merchant {
        login: "login".into(),
        first: Password::new("p1"),
        second: Password::new("p2"),
        hash,
        stage,
        page: "https://auth.robokassa.ru/Merchant/Index.aspx".into(),
    }
}

fn shp(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn read(query: &str) -> Result<Message, Unreadable> {
    Message::read(&Fields::parse(query.as_bytes())?)
}

fn invoice_of(amount: i64, currency: &str) -> Invoice<'_> {
    let expires_at = time::macros::datetime!(2030-01-02 03:04:05.600 UTC);
    Invoice { id: 17, amount, currency, culture: Culture::En, expires_at, shp: shp(&[("Shp_user", "5"), ("Shp_a", "x y")]) }
}

/// Whole hashes that the gateway's own library is tested with: github.com/robokassa/sdk-php, tests/ExamplesTest.php, shop
/// `login` with the password `p1`, MD5. The first has nothing but the sum, the second a parameter of the shop's, the third
/// a receipt, too; each value is signed as it is sent.
#[test]
fn signatures_are_those_that_robokassa_publishes() {
    let shop = merchant(Hash::Md5, Stage::Live);
    assert_eq!(shop.sign(&["login", "5", "154"], &shop.first, &[]), "ea9bd729a4456cfbfb91294b8e2781d6");
    let order = shp(&[("Shp_order", "abc+1")]);
    assert_eq!(shop.sign(&["login", "5", "9"], &shop.first, &order), "46e153d00db13ba3848be7d08f1cf62f");
    let receipt = "%7B%22items%22%3A%5B%7B%22name%22%3A%22Subscription%22%2C%22quantity%22%3A1%2C%22sum%22%3A100%2C\
                   %22payment_method%22%3A%22full_payment%22%2C%22payment_object%22%3A%22service%22%2C%22tax%22%3A%22none%22%7D%5D%7D";
    assert_eq!(shop.sign(&["login", "100.00", "200002", receipt], &shop.first, &order), "1be6746b70e8f702171f85e427399a9e");
}

/// The documentation's example of a notification, `100.000000:450009:Password#2:Shp_login=Vasya:Shp_oplata=1`, gives no
/// hash. These were made with `printf '100.000000:450009:password_2:Shp_login=Vasya:Shp_oplata=1' | openssl dgst -md5`
/// (`-rmd160`, `-sha1`, …).
#[test]
fn every_algorithm_signs_the_documented_notification() {
    let due = [
        (Hash::Md5, "4adcef23deded52faef69a96efdf67e8"),
        (Hash::Ripemd160, "9f6decaa420d342080ee304cfca6611a5c15bc72"),
        (Hash::Sha1, "c1552d00283c6dd73796ab91b12f0ddb05988d11"),
        (Hash::Sha256, "025e4f4f5385f685e8b04a9fcf7021ff3084f89d0afbadd977b3609c09d31fc9"),
        (Hash::Sha384, "65d697e191e0e0fdd3e32f53b1a3d019788335364fb298676c1d4962c640d54a20cab9534715b0c52d4dcf4e7850174b"),
        (
            Hash::Sha512,
            "914357059659abeb408910809292020e462a68b9004678c4b2ef4f86c351a4608aba03b602bd72dfd5c6bdb3f876d4a3a0af814a62d82b219987d5ae56271240",
        ),
    ];
    for (hash, signature) in due {
        let shop = Merchant { second: Password::new("password_2"), ..merchant(hash, Stage::Live) };
        // The order in which they come does not matter, nor the case of the hash.
        for signature in [signature.to_owned(), signature.to_uppercase()] {
            let told = format!("Shp_oplata=1&InvId=450009&SignatureValue={signature}&OutSum=100.000000&Shp_login=Vasya&Fee=3.5&EMail=");
            let message = read(&told).unwrap();
            assert!(shop.is_notification(&message), "{hash:?}");
            assert_eq!((message.invoice(), parse_sum(&message.out_sum)), (Some(450_009), Some(10_000)));
            assert!(!shop.is_return(&message), "another password");
            for damaged in [
                told.replace("100.000000", "100.00"),
                told.replace("450009", "450008"),
                told.replace("Vasya", "Petya"),
                told.replace("Shp_oplata=1&", ""),
                told.replace("Shp_oplata=1&", "Shp_oplata=1&Shp_z=2&"),
                told.replace("Shp_login", "shp_login"),
                told.replace(&signature, &signature[1..]),
                told.replace(&signature, &format!("{signature}0")),
            ] {
                assert_ne!(damaged, told);
                assert!(!shop.is_notification(&read(&damaged).unwrap()), "{hash:?} {damaged}");
            }
        }
    }
    let names = ["md5", "ripemd160", "sha1", "sha256", "sha384", "sha512"];
    assert_eq!(Hash::ALL.map(Hash::as_str), names);
    assert!(names.into_iter().all(|name| Hash::parse(name).is_some_and(|hash| hash.as_str() == name)));
    assert!(Hash::parse("crc32").is_none() && Hash::parse("MD5 ").is_none());
}

#[test]
fn a_link_carries_what_the_gateway_needs_and_only_ours_is_ours() {
    let live = merchant(Hash::Sha256, Stage::Live);
    let link = live.link(&invoice_of(70_050, "RUB"));
    // printf 'login:700.50:17:p1:Shp_a=x y:Shp_user=5' | sha256sum
    let signature = "d5c4eee814e1c1dccc294703d120ca991e0c91a93030c32b3947a84057e49d7e";
    assert_eq!(
        link,
        format!(
            "https://auth.robokassa.ru/Merchant/Index.aspx?MerchantLogin=login&OutSum=700.50&InvId=17&Description=Wallet+top-up%2C+invoice+17\
             &SignatureValue={signature}&Culture=en&Encoding=utf-8&ExpirationDate=2030-01-02T03%3A04%3A05.6000000%2B00%3A00&Shp_a=x+y&Shp_user=5"
        )
    );
    let is_ours = |shop: &Merchant, link: &str| {
        let query = link.split_once('?').unwrap().1;
        shop.is_link(&Link::read(&Fields::parse(query.as_bytes()).unwrap()).unwrap())
    };
    assert!(is_ours(&live, &link));
    for (from, to) in [("700.50", "1.00"), ("InvId=17", "InvId=18"), ("=login", "=other"), ("Shp_user=5", "Shp_user=6"), ("=d5c4", "=d5c5")]
    {
        assert!(!is_ours(&live, &link.replacen(from, to, 1)), "{from}");
    }
    assert!(!is_ours(&live, &format!("{link}&OutSumCurrency=USD")), "roubles do not become dollars");

    let test = merchant(Hash::Md5, Stage::Test).link(&invoice_of(1, "RUB"));
    assert!(test.contains("OutSum=0.01&") && test.contains("&IsTest=1"), "{test}");
    let sandbox = Merchant::sandbox();
    let dollars = sandbox.link(&invoice_of(100, "USD"));
    assert!(dollars.starts_with("/sandbox/robokassa?MerchantLogin=orderboard-sandbox&OutSum=1.00&OutSumCurrency=USD&"), "{dollars}");
    assert!(is_ours(&sandbox, &dollars) && !is_ours(&sandbox, &dollars.replace("USD", "EUR")));
}

#[test]
fn descriptions_are_short_and_plain() {
    let russian = Invoice { id: u64::MAX, culture: Culture::Ru, ..invoice_of(1, "RUB") };
    let link = merchant(Hash::Md5, Stage::Live).link(&russian);
    let read = Link::read(&Fields::parse(link.split_once('?').unwrap().1.as_bytes()).unwrap()).unwrap();
    assert_eq!(read.description, "Пополнение кошелька, счёт 18446744073709551615");
    assert!(read.description.chars().count() <= 100);
    assert_eq!(read.expires_at, Some(russian.expires_at));
}

#[test]
fn where_real_money_moves_only_roubles_are_asked_for() {
    for stage in [Stage::Live, Stage::Test] {
        assert!(merchant(Hash::Md5, stage).takes("RUB"));
        assert!(["USD", "EUR", "KZT", "JPY"].into_iter().all(|currency| !merchant(Hash::Md5, stage).takes(currency)));
    }
    assert!(["RUB", "USD", "EUR", "KZT"].into_iter().all(|currency| Merchant::sandbox().takes(currency)));
    assert!(!Merchant::sandbox().takes("JPY"), "a yen has no hundredths");
}

#[test]
fn sums_are_compared_as_decimals() {
    for (text, minor) in [
        ("100", 10_000),
        ("100.0", 10_000),
        ("100.00", 10_000),
        ("100.000000", 10_000),
        ("0100.00", 10_000),
        ("0.01", 1),
        ("0.1", 10),
        ("12.3", 1_230),
        ("0", 0),
        ("92233720368547758.07", i64::MAX),
    ] {
        assert_eq!(parse_sum(text), Some(minor), "{text}");
    }
    for text in [
        "",
        ".",
        "1.",
        ".5",
        "70,00",
        "7 0",
        " 70",
        "70 ",
        "-70",
        "+70",
        "70.001",
        "70.0000001",
        "1e2",
        "NaN",
        "inf",
        "0x10",
        "７０",
        "1.2.3",
        "1_000",
        "92233720368547758.08",
        "99999999999999999999",
        "70.00000000000000000000000000000000",
    ] {
        assert_eq!(parse_sum(text), None, "{text}");
    }
    for minor in [1, 99, 100, 7_005, 1_000_000_000_000] {
        assert_eq!(parse_sum(&out_sum(minor)), Some(minor));
    }
}

#[test]
fn parameters_that_are_missing_or_there_twice_are_refused() {
    let whole = "OutSum=1&InvId=2&SignatureValue=3&Shp_a=1&IsTest=1";
    assert!(read(whole).unwrap().is_test);
    for name in ["OutSum", "InvId", "SignatureValue"] {
        assert_eq!(read(&whole.replace(name, "x")).unwrap_err(), Unreadable::Missing(name));
        assert_eq!(read(&format!("{whole}&{name}=1")).unwrap_err(), Unreadable::Repeated(name));
    }
    assert_eq!(read(&whole.replace("OutSum=1", "OutSum=")).unwrap_err(), Unreadable::Missing("OutSum"));
    assert_eq!(read(&format!("{whole}&Shp_a=2")).unwrap_err(), Unreadable::Repeated("Shp_"));
    assert_eq!(read(&format!("{whole}&IsTest=0")).unwrap_err(), Unreadable::Repeated("IsTest"));
    assert!(read(&format!("{whole}&IncCurrLabel=a&IncCurrLabel=b")).is_ok(), "what nobody reads may be anything");
    assert_eq!(read(&format!("{whole}{}", "&x=1".repeat(64))).unwrap_err(), Unreadable::TooMany);
    assert_eq!(read(whole).unwrap().shp, shp(&[("Shp_a", "1")]));
    for (text, number) in
        [("17", Some(17)), ("0017", Some(17)), ("+17", None), ("-1", None), ("1.0", None), ("", None), ("99999999999999999999", None)]
    {
        assert_eq!(invoice(text), number, "{text}");
    }
}

#[test]
fn what_the_sandbox_sends_is_what_the_shop_reads() {
    let shop = Merchant::sandbox();
    let own = shp(&[("Shp_user", "ё & = :")]);
    let message = read(&shop.notification("70.000000", "5", &own)).unwrap();
    assert!(shop.is_notification(&message) && !shop.is_return(&message) && message.is_test);
    assert_eq!(message.shp, own);
    let back = read(&shop.success("70.00", "5", &own)).unwrap();
    assert!(shop.is_return(&back) && !shop.is_notification(&back), "what a browser sees is no proof of money");
    assert_eq!(shop.fail("70.00", "5", &[]), "OutSum=70.00&InvId=5&IsTest=1");
}

#[test]
fn passwords_are_not_printed() {
    let printed = format!("{:?}", Merchant { first: Password::new("secret"), ..Merchant::sandbox() });
    assert!(!printed.contains("secret") && !printed.contains("sandbox-password"), "{printed}");
}
