//! One note on the merge request, edited in place.
//!
//! Its number is remembered by the caller. Where it is lost (database restored, note deleted by hand) the note is found
//! again by an invisible marker, so that people never see two.

use reqwest::{Method, Url};
use serde::{Deserialize, Serialize};

use super::error::{Doing, GitLabErrorKind};
use super::{GitLab, GitLabError, PAGE, PAGES};
use crate::model::ProjectId;

#[derive(Serialize)]
struct Body<'a> {
    body: &'a str,
}

#[derive(Deserialize)]
struct Written {
    id: i64,
}

#[derive(Deserialize)]
struct Note {
    id: i64,
    body: String,
    author: Author,
}

#[derive(Deserialize)]
struct Author {
    id: i64,
}

const NEEDS: &str = "role Reporter in the project and scope `api`";

impl GitLab {
    /// Makes the note say `body` and returns its number.
    ///
    /// `known` is the number that was returned last. `marker` is an HTML comment (`<!-- seaworthy:… -->`) that is put
    /// under the body; the note of the token's own user that holds it is edited if `known` leads nowhere.
    ///
    /// # Errors
    /// `NotThere` if the merge request is gone.
    pub async fn upsert_note(
        &self,
        project: ProjectId,
        iid: i64,
        known: Option<i64>,
        marker: &str,
        body: &str,
    ) -> Result<i64, GitLabError> {
        let number = iid.to_string();
        let place = format!("merge request !{iid} of project {project}");
        let notes = self.project_url(project, ["merge_requests", number.as_str(), "notes"]);
        let body = format!("{}\n\n{marker}", body.trim_end());
        if let Some(id) = known
            && let Some(id) = self.edit_note(&place, &notes, id, &body).await?
        {
            return Ok(id);
        }
        if let Some(id) = self.find_note(&place, &notes, marker).await?
            && let Some(id) = self.edit_note(&place, &notes, id, &body).await?
        {
            return Ok(id);
        }
        let doing = Doing::new(format!("write the note on {place}"), NEEDS);
        let written: Written = self.send(&doing, Method::POST, notes, &Body { body: &body }).await?;
        Ok(written.id)
    }

    /// `None` if the note is gone, or belongs to another user since the token was changed.
    async fn edit_note(&self, place: &str, notes: &Url, id: i64, body: &str) -> Result<Option<i64>, GitLabError> {
        let doing = Doing::new(format!("edit the note on {place}"), NEEDS);
        let mut url = notes.clone();
        url.path_segments_mut()
            .expect("an address with a host has a path")
            .push(&id.to_string());
        match self.send::<Written>(&doing, Method::PUT, url, &Body { body }).await {
            Ok(written) => Ok(Some(written.id)),
            Err(error) if error.kind == GitLabErrorKind::NotThere || error.status == Some(403) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn find_note(&self, place: &str, notes: &Url, marker: &str) -> Result<Option<i64>, GitLabError> {
        let me = self.current_user().await?.id;
        let doing = Doing::new(format!("look for the note on {place}"), NEEDS);
        let mut url = notes.clone();
        url.query_pairs_mut()
            .append_pair("order_by", "created_at")
            .append_pair("sort", "asc")
            .append_pair("per_page", PAGE);
        for _ in 0..PAGES {
            let (page, next): (Vec<Note>, _) = self.page(&doing, url).await?;
            if let Some(note) = page
                .iter()
                .find(|note| note.author.id == me && note.body.contains(marker))
            {
                return Ok(Some(note.id));
            }
            match next {
                Some(next) => url = next,
                None => break,
            }
        }
        Ok(None)
    }
}
