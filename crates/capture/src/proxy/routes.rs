//! Which calls are answered here and which go to which upstream. Pure.

use super::upstream::Upstream;
use aws::Service;
use std::collections::HashMap;
use std::fmt;

/// The path prefix of the house's own pages; no S3 bucket can have that name, though a key of one that the host names may begin so.
const OWN_PREFIX: &str = "/_opentrail/";

/// Services that are always answered here: nobody else's trail may be asked for ours.
const ALWAYS_LOCAL: [&str; 2] = ["cloudtrail", "cloudtrail-data"];
/// Services that are answered here where no upstream has them. EventBridge will always be answered here once it is built: until
/// then a client of an upstream that has it must find it there.
const LOCAL_BY_DEFAULT: [&str; 5] = ["s3", "sts", "iam", "organizations", "events"];

/// Where calls go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routes {
    upstreams: Vec<Upstream>,
    /// Upstream of single services, by any of their names.
    by_service: HashMap<String, usize>,
    /// Upstream of every other service.
    default: Option<usize>,
    /// Nothing is answered here: a private recorder in front of somebody else's house.
    nothing_local: bool,
}

/// `--upstream` values that contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoutesError {
    /// Two upstreams without services.
    #[error("more than one --upstream without services: name the services of all but one (SERVICE,…=URL)")]
    TwoDefaults,
    /// A service was given two upstreams.
    #[error("`{0}` has two upstreams")]
    TwoFor(String),
    /// A service that is always answered here.
    #[error("`{0}` is always served by OpenTrail and cannot go to an upstream")]
    AlwaysLocal(String),
}

/// Who answers a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination {
    /// One of the house's own pages.
    Own,
    /// A service in the house.
    Local,
    /// The upstream of that index.
    Upstream(usize),
    /// Nobody: no upstream is configured for the service.
    Nobody,
}

impl Routes {
    /// Routes of `(services, upstream)` pairs; no services means every service that is not local.
    ///
    /// # Errors
    /// [`RoutesError`] when the pairs contradict each other.
    pub fn new(pairs: Vec<(Vec<String>, Upstream)>) -> Result<Routes, RoutesError> {
        let mut routes = Routes::default();
        for (services, upstream) in pairs {
            let index = routes.upstreams.len();
            routes.upstreams.push(upstream);
            if services.is_empty() && routes.default.replace(index).is_some() {
                return Err(RoutesError::TwoDefaults);
            }
            for service in services {
                if ALWAYS_LOCAL.contains(&service.as_str()) {
                    return Err(RoutesError::AlwaysLocal(service));
                }
                if routes.by_service.insert(service.clone(), index).is_some() {
                    return Err(RoutesError::TwoFor(service));
                }
            }
        }
        Ok(routes)
    }

    /// The same routes with no service and no page of our own: every call goes to an upstream.
    #[must_use]
    pub fn with_nothing_local(self) -> Routes {
        Routes { nothing_local: true, ..self }
    }

    /// The upstreams, in the order of [`Destination::Upstream`]'s index.
    pub fn upstreams(&self) -> &[Upstream] {
        &self.upstreams
    }

    /// The upstream that has a service, by one of its names; `None` when it is served here (or nowhere).
    pub fn upstream_of(&self, service: &str) -> Option<&Upstream> {
        match self.by_names(&[service]) {
            Destination::Upstream(index) => self.upstreams.get(index),
            _ => None,
        }
    }

    /// Who answers a request for `path`, that is a call to `service` as far as its head tells. `is_key`: whether the path is that of an
    /// object, because the host names its bucket.
    pub(crate) fn destination(
        &self,
        path: &str,
        service: Option<&Service>,
        is_key: impl FnOnce() -> bool,
    ) -> Destination {
        let is_own = path.starts_with(OWN_PREFIX) || path == OWN_PREFIX.trim_end_matches('/');
        if !self.nothing_local && is_own && !is_key() {
            return Destination::Own;
        }
        match service {
            Some(service) => self.by_names(&[service.name(), service.signing_name(), service.endpoint_prefix()]),
            // What cannot be told is left to the upstream to refuse, in its own words.
            None => self.default.map_or(Destination::Nobody, Destination::Upstream),
        }
    }

    fn by_names(&self, names: &[&str]) -> Destination {
        let is_local = |names: &[&str], local: &[&str]| {
            !self.nothing_local && names.first().is_some_and(|name| local.contains(name))
        };
        if is_local(names, &ALWAYS_LOCAL) {
            return Destination::Local;
        }
        let named = names.iter().find_map(|name| self.by_service.get(*name)).copied();
        match named.or(self.default) {
            Some(index) => Destination::Upstream(index),
            None if is_local(names, &LOCAL_BY_DEFAULT) => Destination::Local,
            None => Destination::Nobody,
        }
    }
}

/// As `--upstream` takes them, separated by commas and spaces: `logs,sns=http://127.0.0.1:5000, http://127.0.0.1:9000`.
impl fmt::Display for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, upstream) in self.upstreams.iter().enumerate() {
            let of_this = self.by_service.iter().filter(|(_, of)| **of == index);
            let mut services: Vec<&str> = of_this.map(|(service, _)| service.as_str()).collect();
            services.sort_unstable();
            let (separator, equals) = (if index == 0 { "" } else { ", " }, if services.is_empty() { "" } else { "=" });
            write!(f, "{separator}{}{equals}{upstream}", services.join(","))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(pairs: &[(&str, &str)]) -> Result<Routes, RoutesError> {
        let pairs = pairs.iter().map(|(services, url)| {
            let services = services.split(',').filter(|s| !s.is_empty()).map(str::to_owned).collect();
            (services, url.parse().unwrap())
        });
        Routes::new(pairs.collect())
    }

    #[test]
    fn routes_are_shown_as_they_are_given() {
        let shown =
            routes(&[("sns,logs", "http://127.0.0.1:5000"), ("", "http://127.0.0.1:9000")]).unwrap().to_string();
        assert_eq!(shown, "logs,sns=http://127.0.0.1:5000, http://127.0.0.1:9000");
        assert_eq!(Routes::default().to_string(), "");
    }

    #[test]
    fn cloudtrail_stays_and_the_rest_goes_upstream() {
        let routes = routes(&[("", "http://a:1"), ("s3,dynamodb", "http://b:2")]).unwrap();
        assert_eq!(routes.by_names(&["cloudtrail"]), Destination::Local);
        assert_eq!(routes.by_names(&["sqs"]), Destination::Upstream(0));
        assert_eq!(routes.by_names(&["s3"]), Destination::Upstream(1));
        assert_eq!(routes.by_names(&["sts"]), Destination::Upstream(0));
        assert_eq!(routes.by_names(&["events"]), Destination::Upstream(0));
    }

    #[test]
    fn without_upstreams_only_what_is_built_in_answers() {
        let routes = routes(&[]).unwrap();
        for name in ["s3", "sts", "iam", "organizations", "events", "cloudtrail-data"] {
            assert_eq!(routes.by_names(&[name]), Destination::Local, "{name}");
        }
        assert_eq!(routes.by_names(&["sqs"]), Destination::Nobody);
        assert_eq!(routes.destination("/_opentrail/health", None, || false), Destination::Own);
        assert_eq!(routes.destination("/_opentrail/health", None, || true), Destination::Nobody);
        assert_eq!(routes.destination("/_opentrailer/x", None, || false), Destination::Nobody);
    }

    #[test]
    fn a_private_recorder_answers_nothing_itself() {
        let routes = routes(&[("", "http://a:1")]).unwrap().with_nothing_local();
        assert_eq!(routes.by_names(&["cloudtrail"]), Destination::Upstream(0));
        assert_eq!(routes.destination("/_opentrail/health", None, || false), Destination::Upstream(0));
    }

    #[test]
    fn contradictions_are_named() {
        assert_eq!(routes(&[("", "http://a"), ("", "http://b")]), Err(RoutesError::TwoDefaults));
        assert_eq!(routes(&[("s3", "http://a"), ("s3", "http://b")]), Err(RoutesError::TwoFor("s3".to_owned())));
        assert_eq!(routes(&[("cloudtrail", "http://a")]), Err(RoutesError::AlwaysLocal("cloudtrail".to_owned())));
    }
}
