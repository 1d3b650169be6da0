//! `download/…`: a Parquet file of a gigabyte over HTTP, against nginx that copies through its own memory as any portal
//! which may have to check, count or decrypt must (`sendfile off`).

use std::io::{BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use demo::Table;
use parquet::arrow::ArrowWriter;
use rand::{RngExt as _, SeedableRng as _};
use storage::{Distribution, DistributionFormat, Manifest, OpenStore};

use crate::load::{content_length, load, nginx_configuration};
use crate::process::{Server, find_tool, free_port, serve};
use crate::summary::{Summary, median};
use crate::world::{Catalogue, World, empty_manifest, version};
use crate::{Failure, Settings};

/// Bytes of the file at scale 1.
const BYTES: u64 = 1_000_000_000;
const COLUMNS: usize = 16;
const BATCH_ROWS: usize = 65_536;
const SECONDS: u64 = 10;

pub(crate) async fn measure(
    world: &World,
    settings: &Settings,
    summary: &mut Summary,
) -> Result<(), Failure> {
    let bytes = settings.rows(BYTES);
    let file = world.file(&format!("random-{bytes}.parquet"), |path| write(path, bytes))?;
    let data = world
        .folder(&format!("portal-download-{bytes}"), async |data| {
            publish(&file, data).await
        })
        .await?;
    let ours = serve(&data).await?;
    let slug = Table::AirQuality.slug();
    let ours_path = format!("/datasets/{slug}/download.parquet");
    let folder = tempfile::tempdir()?;
    let theirs = nginx(folder.path(), &file).await?;
    let name = file
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or("a file without a name")?;
    let theirs_path = format!("/{name}");
    let length = std::fs::metadata(&file)?.len();
    for (server, path) in [(&ours, &ours_path), (&theirs, &theirs_path)] {
        let announced = content_length(&server.base, path).await?;
        if announced != length {
            return Err(format!("{}{path} has {announced} bytes, not {length}", server.base).into());
        }
    }
    for clients in [1, 64] {
        let mut speeds = (Vec::new(), Vec::new());
        for round in 0..=settings.repeats {
            let seconds = if round == 0 { 2 } else { SECONDS };
            let of = |server: &Server, path: &String| -> Result<f64, Failure> {
                let found = load(&server.base, std::slice::from_ref(path), clients, seconds, &[])?;
                Ok(found.megabytes_per_second())
            };
            let (first, second) = (of(&ours, &ours_path)?, of(&theirs, &theirs_path)?);
            if round > 0 {
                speeds.0.push(first);
                speeds.1.push(second);
            }
        }
        summary.add(
            &format!("download/throughput-{clients}"),
            median(speeds.0),
            median(speeds.1),
            "nginx, sendfile off",
            "MB/s",
        );
    }
    summary.add_geomean("download");
    Ok(())
}

/// A Parquet file of about this many bytes that nothing can compress.
fn write(path: &Path, bytes: u64) -> Result<(), Failure> {
    let fields: Vec<Field> = (0..COLUMNS)
        .map(|column| Field::new(format!("c{column}"), DataType::Int64, false))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let mut random = rand::rngs::SmallRng::seed_from_u64(1);
    let file = std::fs::File::create(path)?;
    let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), None)?;
    while u64::try_from(writer.bytes_written())? < bytes {
        let columns: Vec<ArrayRef> = (0..COLUMNS)
            .map(|_| {
                let values = (0..BATCH_ROWS).map(|_| random.random::<i64>());
                Arc::new(Int64Array::from_iter_values(values)) as ArrayRef
            })
            .collect();
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns)?)?;
        if writer.in_progress_size() > 64 << 20 {
            writer.flush()?;
        }
    }
    writer.close()?;
    Ok(())
}

/// Makes a portal that offers the file for download.
async fn publish(file: &Path, data: &Path) -> Result<(), Failure> {
    let catalogue = Catalogue::create(data).await?;
    let version = version();
    let store = OpenStore::open(data, 0)?;
    let mut object = store.begin(version, DistributionFormat::Parquet.extension())?;
    let mut reader = BufReader::new(std::fs::File::open(file)?);
    let mut block = vec![0; 1 << 20];
    loop {
        let read = reader.read(&mut block)?;
        if read == 0 {
            break;
        }
        object.write_all(&block[..read])?;
    }
    let object = object.publish()?;
    let manifest = Manifest {
        distributions: vec![Distribution {
            format: DistributionFormat::Parquet,
            name: object.name,
            sha256: object.sha256,
            bytes: object.bytes,
            media_type: DistributionFormat::Parquet.media_type().to_owned(),
        }],
        ..empty_manifest(version)
    };
    let entry = demo::entry(&Table::AirQuality.spec(demo::Scale::DEMO))?;
    catalogue.add(vec![(entry, version, manifest)]).await
}

/// nginx over the folder of a file.
async fn nginx(folder: &Path, file: &Path) -> Result<Server, Failure> {
    let port = free_port()?;
    let files: PathBuf = file.parent().ok_or("a file without a folder")?.to_owned();
    let configuration = folder.join("nginx.conf");
    std::fs::write(&configuration, nginx_configuration(folder, &files, port))?;
    std::fs::write(files.join("ready"), b"ready")?;
    let mut command = Command::new(find_tool(&["nginx"])?);
    command.arg("-p").arg(folder).arg("-c").arg(&configuration);
    Server::start(&mut command, port, "/ready").await
}
