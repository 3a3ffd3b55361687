//! A file as an answer: whole or in part, read piece by piece off the threads that answer, known again by its tag.

use std::fs::{File, Metadata};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::UNIX_EPOCH;

use actix_web::body::SizedStream;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE, ETAG, HeaderValue, IF_NONE_MATCH,
    IF_RANGE, RANGE,
};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream;

use super::problem::{Code, Problem};
use super::ranges::{Asked, asked, names};

const PIECE_BYTES: u64 = 64 * 1_024;

/// What there is to be said of the file.
pub(super) struct About {
    pub content_type: &'static str,
    /// What a browser calls it when it is kept.
    pub name: String,
}

/// `None`: there is no such file.
pub(super) async fn open(path: &Path) -> Result<Option<StoredFile>, Problem> {
    let path = path.to_owned();
    let opened = web::block(move || {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        Ok::<_, io::Error>(StoredFile { tag: tag_of(&metadata), length: metadata.len(), file })
    });
    match opened.await.map_err(Problem::internal)? {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Problem::internal(format_args!("a recording cannot be opened: {error}"))),
    }
}

pub(super) struct StoredFile {
    file: File,
    length: u64,
    tag: String,
}

/// A file never changes under its name but as a whole.
fn tag_of(metadata: &Metadata) -> String {
    let modified =
        metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    format!("\"{:x}-{:x}\"", metadata.len(), modified.as_nanos())
}

impl StoredFile {
    pub(super) fn answer(self, request: &HttpRequest, about: &About) -> HttpResponse {
        let header = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        if header(IF_NONE_MATCH).is_some_and(|list| names(list, &self.tag)) {
            return self.headed(StatusCode::NOT_MODIFIED, about).finish();
        }
        // Whoever goes on with a file that has become another one gets the whole of it.
        let is_same = header(IF_RANGE).is_none_or(|tag| tag == self.tag);
        let length = self.length;
        match asked(header(RANGE).filter(|_| is_same), length) {
            Asked::Whole => {
                let mut answer = self.headed(StatusCode::OK, about);
                answer.body(self.part(0, length))
            }
            Asked::Part(range) => {
                let (first, last) = (*range.start(), *range.end());
                let mut answer = self.headed(StatusCode::PARTIAL_CONTENT, about);
                answer.insert_header((CONTENT_RANGE, format!("bytes {first}-{last}/{length}")));
                answer.body(self.part(first, last - first + 1))
            }
            Asked::Nothing => {
                let detail = format_args!("the file has {length} bytes; ask for some of them");
                let mut answer = Problem::new(Code::NoSuchRange, detail).response();
                if let Ok(value) = HeaderValue::from_str(&format!("bytes */{length}")) {
                    answer.headers_mut().insert(CONTENT_RANGE, value);
                }
                answer
            }
        }
    }

    fn headed(&self, status: StatusCode, about: &About) -> actix_web::HttpResponseBuilder {
        let mut answer = HttpResponse::build(status);
        answer.insert_header((ETAG, self.tag.as_str())).insert_header((ACCEPT_RANGES, "bytes"));
        // It may be kept, but whether it may still be seen is asked again each time.
        answer.insert_header((CACHE_CONTROL, "private, no-cache"));
        answer.insert_header((CONTENT_DISPOSITION, format!("inline; filename=\"{}\"", about.name)));
        answer.content_type(about.content_type);
        answer
    }

    fn part(
        self,
        first: u64,
        length: u64,
    ) -> SizedStream<impl futures_util::Stream<Item = Result<Bytes, io::Error>>> {
        let state = (self.file, first, length);
        let pieces = stream::try_unfold(state, |(mut file, at, left)| async move {
            if left == 0 {
                return Ok(None);
            }
            let read = web::block(move || {
                let piece = read_at(&mut file, at, left.min(PIECE_BYTES));
                piece.map(|piece| (piece, file))
            });
            let (piece, file) = read.await.map_err(io::Error::other)??;
            let bytes = piece.len() as u64;
            Ok(Some((Bytes::from(piece), (file, at + bytes, left - bytes))))
        });
        SizedStream::new(length, pieces)
    }
}

fn read_at(file: &mut File, at: u64, bytes: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at))?;
    let mut piece = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
    file.take(bytes).read_to_end(&mut piece)?;
    if piece.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(piece) }
}
