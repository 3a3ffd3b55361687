//! The one file of a multipart form, as RFC 7578 has it.

/// What lies in the form's field.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) content_type: String,
    pub(super) bytes: Vec<u8>,
}

/// `content_type` is the request's.
pub(super) fn file_in(content_type: &str, body: &[u8], field: &str) -> Result<File, String> {
    let boundary = boundary_in(content_type).ok_or_else(|| {
        format!("the content type {content_type:?} is no multipart/form-data with a boundary")
    })?;
    let delimiter = format!("--{boundary}");
    let start = find(body, delimiter.as_bytes()).ok_or("the form has no part")?;
    let mut rest = body.get(start + delimiter.len()..).unwrap_or_default();
    let mut found = None;
    let ending = format!("\r\n{delimiter}");
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let end = find(part, ending.as_bytes()).ok_or("the form ends within a part")?;
        let (content, behind) = part.split_at(end);
        if let Some(file) = file_of(content, field)?
            && found.replace(file).is_some()
        {
            return Err(format!("the form has the field {field:?} twice"));
        }
        rest = behind.get(ending.len()..).unwrap_or_default();
    }
    if !rest.starts_with(b"--") {
        return Err("the form is cut off".into());
    }
    found.ok_or_else(|| format!("the form has no field {field:?}"))
}

fn boundary_in(content_type: &str) -> Option<String> {
    let mut parameters = content_type.split(';').map(str::trim);
    if !parameters.next()?.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let value = parameters.find_map(|parameter| parameter.strip_prefix("boundary="))?.trim_matches('"');
    (!value.is_empty()).then(|| value.to_owned())
}

/// `None`: another field.
fn file_of(part: &[u8], field: &str) -> Result<Option<File>, String> {
    let end = find(part, b"\r\n\r\n").ok_or("a part of the form has no head")?;
    let (head, bytes) = part.split_at(end);
    let head = String::from_utf8_lossy(head);
    let header = |wanted: &str| {
        head.lines().filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().to_owned())
        })
    };
    let disposition = header("content-disposition").ok_or("a part of the form does not say what it is")?;
    let parameter = |wanted: &str| {
        disposition
            .split(';')
            .filter_map(|it| it.trim().split_once('='))
            .find_map(|(name, value)| (name == wanted).then(|| value.trim_matches('"').to_owned()))
    };
    if parameter("name").as_deref() != Some(field) {
        return Ok(None);
    }
    Ok(Some(File {
        name: parameter("filename").ok_or_else(|| format!("the field {field:?} is no file"))?,
        content_type: header("content-type").unwrap_or_default(),
        bytes: bytes.get(4..).unwrap_or_default().to_vec(),
    }))
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}
