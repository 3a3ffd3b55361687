use super::HeaderName;

/// A message's headers in the order of the wire, one entry a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(HeaderName, String)>);

impl Headers {
    pub fn get(&self, name: &HeaderName) -> Option<&str> {
        self.0.iter().find(|(held, _)| held == name).map(|(_, value)| value.as_str())
    }

    pub fn all(&self, name: &HeaderName) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(held, _)| held == name).map(|(_, value)| value.as_str())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &str)> {
        self.0.iter().map(|(name, value)| (name, value.as_str()))
    }

    pub fn push(&mut self, name: HeaderName, value: impl Into<String>) {
        self.0.push((name, value.into()));
    }

    /// Puts a value before all others: a Via on the way out, a Record-Route on the way through.
    pub fn prepend(&mut self, name: HeaderName, value: impl Into<String>) {
        self.0.insert(0, (name, value.into()));
    }

    /// Makes `value` the only one of its name, at the place where the first one stood.
    pub fn set(&mut self, name: HeaderName, value: impl Into<String>) {
        match self.0.iter().position(|(held, _)| *held == name) {
            None => self.push(name, value),
            Some(place) => {
                self.remove_after(place, &name);
                if let Some((_, held)) = self.0.get_mut(place) {
                    *held = value.into();
                }
            }
        }
    }

    /// Replaces the first value of its name and leaves the others: the top Via gets its `received`.
    pub fn replace_first(&mut self, name: &HeaderName, value: impl Into<String>) {
        if let Some((_, held)) = self.0.iter_mut().find(|(held, _)| held == name) {
            *held = value.into();
        }
    }

    pub fn remove(&mut self, name: &HeaderName) {
        self.0.retain(|(held, _)| held != name);
    }

    /// Takes the first value of its name out: the top Via or the first Route.
    pub fn remove_first(&mut self, name: &HeaderName) -> Option<String> {
        let place = self.0.iter().position(|(held, _)| held == name)?;
        Some(self.0.remove(place).1)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn remove_after(&mut self, place: usize, name: &HeaderName) {
        let mut index = 0;
        self.0.retain(|(held, _)| {
            index += 1;
            index <= place + 1 || held != name
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(values: &[&str]) -> Headers {
        let mut headers = Headers::default();
        headers.push(HeaderName::Subject, "first");
        values.iter().for_each(|value| headers.push(HeaderName::Route, *value));
        headers
    }

    fn all(headers: &Headers) -> Vec<&str> {
        headers.all(&HeaderName::Route).collect()
    }

    #[test]
    fn setting_a_header_leaves_one_where_the_first_stood() {
        let mut headers = routes(&["a", "b", "c"]);
        headers.push(HeaderName::Event, "last");
        headers.set(HeaderName::Route, "d");
        let order: Vec<&str> = headers.iter().map(|(_, value)| value).collect();
        assert_eq!(order, ["first", "d", "last"]);
        headers.set(HeaderName::Expires, "0");
        assert_eq!(headers.get(&HeaderName::Expires), Some("0"));
    }

    #[test]
    fn the_first_value_can_be_replaced_taken_and_preceded() {
        let mut headers = routes(&["a", "b"]);
        headers.replace_first(&HeaderName::Route, "c");
        assert_eq!(all(&headers), ["c", "b"]);
        assert_eq!(headers.remove_first(&HeaderName::Route).as_deref(), Some("c"));
        headers.prepend(HeaderName::Route, "d");
        assert_eq!(all(&headers), ["d", "b"]);
        headers.remove(&HeaderName::Route);
        assert_eq!((all(&headers).len(), headers.len()), (0, 1));
    }

    #[test]
    fn an_unknown_name_is_found_in_any_case() {
        let mut headers = Headers::default();
        headers.push(HeaderName::from_token("X-Trunk"), "7");
        assert_eq!(headers.get(&HeaderName::from_token("x-TRUNK")), Some("7"));
        assert_eq!(headers.get(&HeaderName::from_token("x-trun")), None);
    }
}
