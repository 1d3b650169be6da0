//! Writes every page in both languages, with sample data, as files that a browser opens without a server:
//! `cargo run -p web --example gallery -- OUT_DIR`.

mod sample;

use std::error::Error;
use std::fs;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let out = std::env::args().nth(1).ok_or("usage: gallery OUT_DIR")?;
    let out = Path::new(&out);
    fs::create_dir_all(out.join("assets"))?;
    for name in web::asset::names() {
        if let Some(asset) = web::asset::find(name) {
            fs::write(out.join("assets").join(name), &asset.bytes)?;
        }
    }
    for page in sample::pages(false)? {
        let mut html = page.html;
        for name in web::asset::names() {
            html = html.replace(&web::asset::address(name), &format!("assets/{name}"));
        }
        // Without a server there is nothing to poll or to reload.
        let html = html.replace("http-equiv=\"refresh\"", "name=\"refresh\"");
        fs::write(
            out.join(format!("{}.{}.html", page.name, page.language.tag())),
            html,
        )?;
    }
    Ok(())
}
